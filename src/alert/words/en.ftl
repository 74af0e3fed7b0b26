# Words of Vigie in English. One key, one text; `fr.ftl` has the same keys.
# Arguments of sentences: $n the rounded number (plurals), $value as written, $amount "about 3 messages", $window.

yes = yes
no = no
not-known = not known

## Windows and lengths of time

window-60s = in the last minute
window-2m = within 2 minutes
window-10m = in the last 10 minutes
window-30m = in the last 30 minutes
window-24h = in the last 24 hours
window-7d = in the last 7 days
window-30d = in the last 30 days
window-90d = in the last 90 days
window-now = now
span-60s = 60 s
span-2m = 2 min
span-10m = 10 min
span-30m = 30 min
span-24h = 24 h
span-7d = 7 days
span-30d = 30 days
span-90d = 90 days
span-now = now

duration-seconds = { $n ->
    [one] { $value } second
   *[other] { $value } seconds
}
duration-minutes = { $n ->
    [one] { $value } minute
   *[other] { $value } minutes
}
duration-hours = { $n ->
    [one] { $value } hour
   *[other] { $value } hours
}
duration-days = { $n ->
    [one] { $value } day
   *[other] { $value } days
}

month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December

## Units

unit-voices = { $n ->
    [one] { $value } person
   *[other] { $value } people
}
unit-messages = { $n ->
    [one] { $value } message
   *[other] { $value } messages
}
unit-gifts = { $n ->
    [one] { $value } gift
   *[other] { $value } gifts
}
unit-looks = { $n ->
    [one] { $value } look
   *[other] { $value } looks
}
unit-hours = { $n ->
    [one] { $value } hour
   *[other] { $value } hours
}
unit-viewers = { $n ->
    [one] { $value } viewer
   *[other] { $value } viewers
}
unit-days = { $n ->
    [one] { $value } day
   *[other] { $value } days
}
unit-measures = { $n ->
    [one] { $value } measure
   *[other] { $value } measures
}
unit-notices = { $n ->
    [one] { $value } notice
   *[other] { $value } notices
}
unit-ratio = { $value } times chance

about-messages = { $n ->
    [0] less than one message
    [one] about one message
   *[other] about { $value } messages
}
about-gifts = { $n ->
    [0] less than one payment
    [one] about one payment
   *[other] about { $value } payments
}
about-looks = { $n ->
    [0] less than one moment
    [one] about one moment
   *[other] about { $value } moments
}

## What each signal measures

signal-chat-threat = Threats in chat
signal-chat-incitement = Calls for acts that hurt
signal-chat-self-harm = Announced self-harm
signal-chat-self-harm-urging = Urging to self-harm
signal-chat-distress = Distress in chat
signal-chat-harassment = Harassment
signal-chat-sexual-abuse = Sexual abuse in words
signal-chat-toxicity = Hateful or rude messages
signal-chat-threat-peak = Strongest threat
signal-chat-self-harm-peak = Strongest announcement of self-harm
signal-chat-threat-voices = People who threaten
signal-chat-incitement-voices = People who call for acts
signal-chat-self-harm-urging-voices = People who urge to self-harm
signal-chat-distress-voices = People who say someone is in danger
signal-chat-harassment-voices = People who harass
signal-chat-messages = Messages
signal-chat-alike = Share of copied messages
signal-chat-laughter = Share of laughter
signal-money-paid = Gifts
signal-money-eur = Money given
signal-money-acts = Payments that ask for acts
signal-money-acts-eur = Money given for acts
signal-coupling-violence-after-money = Violence after payments for acts
signal-coupling-money-after-violence = Money after violence
signal-coupling-motion-after-money = Motion after payments for acts
signal-coupling-distress-after-money = Distress after payments for acts
signal-coupling-lift = Violence after money, against chance
signal-picture-violence-peak = Strongest violence in the picture
signal-picture-violence = Violence in the picture
signal-picture-person-down-peak = A person lying fallen
signal-picture-nudity-peak = Nudity
signal-picture-weapon-peak = A weapon
signal-picture-motion = Motion in the picture
signal-picture-camera = The picture is filmed
signal-picture-still = Longest stillness
signal-picture-still-after-motion = Longest stillness after strong motion
signal-picture-frozen = Frozen picture
signal-stream-hours-live = Time live without a break
signal-stream-viewers = Viewers
signal-history-days-with-acts = Days with payments for acts
signal-history-measures = Measures against the channel
signal-notice-count = Notices received

## A signal as a reason: a clause that can stand alone or inside the summary

reason-chat-threat = the chat brought { $amount } threatening someone { $window }
reason-chat-incitement = the chat brought { $amount } asking, daring or paying for an act that hurts someone { $window }
reason-chat-self-harm = the chat brought { $amount } announcing suicide or self-injury { $window }
reason-chat-self-harm-urging = the chat brought { $amount } urging someone to kill or injure themselves { $window }
reason-chat-distress = the chat brought { $amount } saying that someone is in danger { $window }
reason-chat-harassment = the chat brought { $amount } insulting or humiliating someone { $window }
reason-chat-sexual-abuse = the chat brought { $amount } speaking sexually of a person without their consent { $window }
reason-chat-toxicity = the chat brought { $amount } with hateful or demeaning words { $window }
reason-chat-threat-peak = a message { $window } was scored { $value } likely to be a threat
reason-chat-self-harm-peak = a message { $window } was scored { $value } likely to announce suicide or self-injury
reason-chat-threat-voices = { $n ->
    [one] { $value } person threatened someone { $window }
   *[other] { $value } different people threatened someone { $window }
}
reason-chat-incitement-voices = { $n ->
    [one] { $value } person called { $window } for an act that hurts someone
   *[other] { $value } different people called { $window } for an act that hurts someone
}
reason-chat-self-harm-urging-voices = { $n ->
    [one] { $value } person urged someone { $window } to kill or injure themselves
   *[other] { $value } different people urged someone { $window } to kill or injure themselves
}
reason-chat-distress-voices = { $n ->
    [one] { $value } person wrote { $window } that someone is in danger
   *[other] { $value } different people wrote { $window } that someone is in danger
}
reason-chat-harassment-voices = { $n ->
    [one] { $value } person insulted or humiliated someone { $window }
   *[other] { $value } different people insulted or humiliated someone { $window }
}
reason-chat-messages = the chat brought { $amount } { $window }
reason-chat-alike = { $value } of the messages { $window } repeat one another
reason-chat-laughter = { $value } of the messages { $window } laugh
reason-money-paid = viewers made { $amount } { $window }
reason-money-eur = viewers gave { $value } { $window }
reason-money-acts = viewers made { $amount } { $window } asking for an act that hurts someone
reason-money-acts-eur = viewers gave { $value } { $window } with requests for acts that hurt someone
reason-coupling-violence-after-money = violence was seen in { $amount } { $window } soon after a paid request for an act
reason-coupling-money-after-violence = viewers made { $amount } { $window } soon after violence in the picture
reason-coupling-motion-after-money = sudden motion was seen in { $amount } { $window } soon after a paid request for an act
reason-coupling-distress-after-money = the chat brought { $amount } of distress { $window } soon after a paid request for an act
reason-coupling-lift = violence followed money { $value } times as often as chance would have it { $window }
reason-picture-violence-peak = a look at the picture { $window } was scored { $value } likely to show violence
reason-picture-violence = violence was seen in { $amount } { $window }
reason-picture-person-down-peak = a look at the picture { $window } was scored { $value } likely to show a person lying fallen
reason-picture-nudity-peak = a look at the picture { $window } was scored { $value } likely to show nudity
reason-picture-weapon-peak = a look at the picture { $window } was scored { $value } likely to show a weapon
reason-picture-motion = the motion of the picture { $window } is { $value }
reason-picture-camera = the last look was scored { $value } likely to be filmed, not a game or animation
reason-picture-still = nothing in the picture moved for { $value } { $window }
reason-picture-still-after-motion = nothing in the picture moved for { $value } after strong motion
reason-picture-frozen = the feed repeats the same picture
reason-stream-hours-live = { $n ->
    [one] the stream has been live for an hour without a break
   *[other] the stream has been live for { $value } hours without a break
}
reason-stream-viewers = { $n ->
    [one] { $value } person is watching
   *[other] { $value } people are watching
}
reason-history-days-with-acts = { $n ->
    [0] payments for acts that hurt someone came before { $window }
    [one] payments for acts that hurt someone came on { $value } day { $window }
   *[other] payments for acts that hurt someone came on { $value } days { $window }
}
reason-history-measures = { $n ->
    [0] the platform took a measure against the channel { $window }
    [one] the platform took { $value } measure against the channel { $window }
   *[other] the platform took { $value } measures against the channel { $window }
}
reason-notice-count = { $n ->
    [0] a notice about the channel was received { $window }
    [one] { $value } notice about the channel was received { $window }
   *[other] { $value } notices about the channel were received { $window }
}

## What may speak against

against-chat-alike = { $value } of the messages { $window } repeat one another: this may be a copied or organised wave
against-chat-laughter = { $value } of the messages { $window } laugh
against-picture-motion = the picture is calm: its motion { $window } is { $value }
against-picture-violence-peak = the looks at the picture { $window } were scored { $value } at most for violence
against-picture-camera = the last look was scored only { $value } likely to be filmed: it may be a game or an animation
against-picture-frozen = the feed repeats the same picture: that nothing moves proves nothing
against-chat-distress-voices = { $n ->
    [0] nobody wrote { $window } that someone is in danger
    [one] only one person wrote { $window } that someone is in danger
   *[other] only { $value } people wrote { $window } that someone is in danger
}
against-setting-game = the platform lists the stream as a game
against-setting-sport = the platform lists the stream as sport
against-setting-fiction = the platform lists the stream as fiction
against-charity = the stream says that it collects for charity
against-no-pictures = no picture was received: nothing confirms or denies what the chat says

## The one-sentence summary

summary-where = On { $channel },{" "}
summary-where-hours = On { $channel }, live for { $hours } hours without a break,{" "}
summary-colon = :{" "}
summary-and = {" "}and{" "}
summary-threat-to-life-past = a person's life may have been in danger
summary-threat-to-life-ongoing = a person's life may be in danger now
summary-threat-to-life-imminent = a person's life may soon be in danger
summary-danger-past = a person may have been hurt
summary-danger-ongoing = a person may be getting hurt now
summary-danger-imminent = a person may soon be hurt
summary-concern-past = something may have gone wrong
summary-concern-ongoing = something may be going wrong
summary-concern-imminent = something may soon go wrong
summary-watch-past = there were first signs of trouble
summary-watch-ongoing = there are first signs of trouble
summary-watch-imminent = there are first signs of trouble
summary-none-past = nothing stands out
summary-none-ongoing = nothing stands out
summary-none-imminent = nothing stands out

## Levels, tenses, states

level-none = Nothing
level-watch = Watch
level-concern = Concern
level-danger = Danger
level-threat-to-life = Threat to life
level-asks-none = Nothing to do.
level-asks-watch = Shown on the list, nothing more.
level-asks-concern = Review within hours.
level-asks-danger = Review now.
level-asks-threat-to-life = Act now: look, decide, call.
tense-past = has taken place
tense-ongoing = is taking place
tense-imminent = is likely to take place
state-open = open
state-acknowledged = taken
state-confirmed = confirmed
state-dismissed = dismissed
state-closed = closed
state-ended = over

offence-violence-against-person = violence against a person
offence-incitement-to-violence = incitement to violence
offence-threat = threats
offence-abuse-of-vulnerable-person = abuse of a vulnerable person
offence-encouragement-of-suicide = encouragement of suicide or self-injury
offence-sexual-violence = sexual violence
offence-intimate-images = spreading intimate images without consent
offence-minor-sexual = sexual abuse material of a minor
offence-terrorism = terrorism

measure-human-review-now = have a person look now
measure-call-emergency-number = call the emergency number
measure-interrupt-stream = interrupt the stream
measure-suspend-monetisation = suspend tips, gifts and adverts
measure-slow-or-close-chat = slow down or close the chat
measure-age-restrict = restrict by age

kind-frame = picture
kind-chat = chat message
kind-donation = donation
kind-reward = reward
kind-notice = notice
kind-moderation = measure

decision-acknowledge = taken
decision-close = closed

role-inciter = asked or paid for acts
role-threatener = threatened
role-witness = said that someone is in danger
role-victim = possible victim
role-suspect = suspected offender

country-AT = Austria
country-BE = Belgium
country-BG = Bulgaria
country-CY = Cyprus
country-CZ = Czechia
country-DE = Germany
country-DK = Denmark
country-EE = Estonia
country-ES = Spain
country-FI = Finland
country-FR = France
country-GR = Greece
country-HR = Croatia
country-HU = Hungary
country-IE = Ireland
country-IT = Italy
country-LT = Lithuania
country-LU = Luxembourg
country-LV = Latvia
country-MT = Malta
country-NL = Netherlands
country-PL = Poland
country-PT = Portugal
country-RO = Romania
country-SE = Sweden
country-SI = Slovenia
country-SK = Slovakia
country-EU = European Union
