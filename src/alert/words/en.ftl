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
    [one] { $value } payment
   *[other] { $value } payments
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
summary-and = ,{" "}and{" "}
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

level-none = Calm
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

## The dossier

d-draft = DRAFT, not sent
d-title-provider = Notification of a suspected offence involving a threat to life or safety
d-title-observer = Notice of illegal content and report for the police
d-basis-provider = Article 18 of Regulation (EU) 2022/2065 (Digital Services Act): the provider of a hosting service promptly informs the law-enforcement or judicial authorities of the Member State or States concerned of its suspicion and provides all relevant information available. Recital 56 lists what is provided.
d-basis-observer = The author of this draft watches from outside and owes nothing under Article 18 of Regulation (EU) 2022/2065. The same facts serve as a notice to the platform under Article 16 (explanation, exact location of the content, name and e-mail address of the notifier, statement of good faith), and as a report for the police.
d-basis-terrorism = Article 14(5) of Regulation (EU) 2021/784: terrorist content involving an imminent threat to life is told promptly to the authorities competent for criminal offences in the Member State or States concerned, and where these cannot be identified, to the Member State of establishment and to Europol.
d-emergency-now = A person in danger now is an emergency: call { $number } first. This notification does not replace the call. { $number } reaches the caller's own country; for a person elsewhere, ask to be put through, or reach Europol or the authority named below.
d-emergency-past = If anybody may still be in danger, call { $number } first. This notification does not replace the call.
d-emergency-no-call = No call to the emergency number has been recorded.
d-emergency-calls = Calls to the emergency number that were recorded:
d-fill-in = ______________________ (to be filled in)
d-size-micro = micro enterprise
d-size-small = small enterprise
d-size-medium = medium-sized enterprise
d-size-large = large enterprise
d-size-very_large = very large online platform
d-tense-past = the offence is suspected to have taken place
d-tense-ongoing = the offence is suspected to be taking place
d-tense-imminent = the offence is suspected to be likely to take place
d-state-basis-stream = the platform tells this country as that of the stream; the suspected offence would take place there
d-state-basis-provider = Member State in which the provider is established: no Member State concerned is identifiable with reasonable certainty
d-state-basis-other = basis not known
d-states-known = The Member State is known from the stream's country as the platform tells it. The residence of the suspected offender and of the victim is not known; it may concern other Member States.
d-states-not-identifiable = The Member State concerned is not identifiable with reasonable certainty (Article 18, paragraph 2): the language of the stream is no basis.
d-part-first = addressee
d-part-copy = copy
d-reach-portal = online portal
d-reach-email = e-mail
d-reach-api = technical interface
d-reach-phone = telephone
d-note-no-contact = The contact is not in the table of authorities: a person fills it in before sending.
d-note-to-verify = Nobody has verified this contact yet: check it before sending.
d-note-verified = Verified on the date given.
d-decided-rule = The level was decided by the rule “{ $rule }”; its conditions that held share the weight.
d-decided-model = The level “{ $level }” was decided by the escalation model, with a probability of { $score }. The weights are the shares of the signals in it.
d-person-unknown = not known to the software; to be filled in by a person
d-person-held = held encrypted; opened on confirmation
d-person-opened = { $id }, name { $name }; opened by { $by }
d-place-how-stream = Country as the platform tells it for the stream. No address or position is held.
d-place-how-outside = Country as the platform tells it for the stream; it is not a Member State. No address or position is held.
d-place-how-unknown = The platform told no country. No address or position is held. The language of the stream is no indication of the place.
d-times = Times of messages, donations and pictures are when they happened at the source, as the platform tells them. “Opened” and “last change” are times of the same stream at which the suspicion arose and last changed. “Draft made” is the clock of the machine.
d-money-count = { $n ->
    [one] { $value } donation in this incident and the day before it, { $sum } in all.
   *[other] { $value } donations in this incident and the day before it, { $sum } in all.
}
d-money-acts = { $n ->
    [0] None of them was judged to ask for an act that hurts someone.
    [one] { $value } of them was judged to ask for an act that hurts someone.
   *[other] { $value } of them were judged to ask for an act that hurts someone.
}
d-money-unseen = Donations were not brought by the feed: it is not known whether there were any.
d-money-coupling = Violence followed money { $value } times as often as chance would have it.
d-money-no-coupling = Whether violence follows money could not be compared with chance.
d-act-violence = violence { $value }
d-act-motion = motion { $value }
d-list-comma = ,{" "}
d-act-no-look = no picture was received after it
d-act-no-score = a picture was received; no model scored it
d-history-incident = This is incident number { $value } on the channel since Vigie watches it.
d-history-notices = { $n ->
    [0] No notice about the channel was received in the last 90 days.
    [one] { $value } notice about the channel was received in the last 90 days.
   *[other] { $value } notices about the channel were received in the last 90 days.
}
d-history-days = { $n ->
    [0] No paid request for an act came in the last 90 days.
    [one] Paid requests for acts came on { $value } day of the last 90.
   *[other] Paid requests for acts came on { $value } days of the last 90.
}
d-history-previous = It follows an earlier alert: { $id }.
d-kept-hold = Legal hold by { $by } until { $until }; basis: { $basis }.
d-kept-no-hold = No legal hold has been recorded.
d-kept-until = The material cited is kept until { $until }, unless a hold extends it.
d-kept-open = The material cited is kept until { $days } days after the end of the incident, unless a hold extends it.
d-kept-expired = { $n ->
    [one] { $n } item cited has expired; its digest remains.
   *[other] { $n } items cited have expired; their digests remain.
}
d-unknown-victim = The identity of the victim.
d-unknown-victim-place = Where the victim resides or is located.
d-unknown-suspect = The identity of the suspected offender, and whether there is one.
d-unknown-suspect-place = Where the suspected offender resides or is located.
d-unknown-account-holder = The holder of the channel's account: the platform's own records were not consulted.
d-unknown-exact-place = The exact place of what is seen.
d-unknown-country = The country of the stream.
d-unknown-url = The address of the stream.
d-unknown-started-at = When the stream began.
d-unknown-persons-identity = The civil identity of the accounts listed; what the platform told of them is held encrypted.
d-unknown-pictures = What the picture shows: no picture is among the evidence.
d-unknown-sound = What was said aloud: sound is not analysed.
d-unknown-emergency-call = Whether somebody has called the emergency number.
d-unknown-provider = Details of the sender that are left blank above.
d-unknown-offence = Which offence it would be: none was named by the rules or the signals.
d-seen-chat-yes = The chat was received.
d-seen-chat-no = The chat was not received.
d-seen-frames-yes = Pictures were received.
d-seen-frames-no = Pictures were not received.
d-seen-donations-yes = Donations were received.
d-seen-donations-no = Donations were not received.
d-seen-language = The language of the stream ({ $language }) is not one in which the text model was measured: its scores are less certain.
d-seen-no-gaps = No gap in what was received is known.
d-seen-gap = Nothing was received from { $from } to { $to }.

d-h-from = From
d-h-to = To
d-h-reference = Reference
d-h-made = Draft made
d-h-basis = Legal basis
d-h-emergency = Emergency first: { $number }
d-h-sender-provider = Provider that notifies
d-h-sender-observer = Author of the notice
d-h-name = Name
d-h-address = Address
d-h-establishment = Established in
d-h-legal-representative = Legal representative
d-h-contact-point = Point of contact
d-h-duty-phone = Telephone, day and night
d-h-size = Size
d-h-addressees = Addressed to
d-h-authority = Authority
d-h-channel-way = How
d-h-contact = Contact
d-h-languages = Languages
d-h-source = Published at
d-h-verified = Verified on
d-h-states = Member States concerned
d-h-suspicion = The suspicion
d-h-tense = When
d-h-offences = Suspected offences
d-h-no-offence = none named; to be judged by a person
d-h-level = Level
d-h-level-now = now
d-h-explanation = Why it is suspected
d-h-reason = Reason
d-h-value = Value
d-h-window = Window
d-h-threshold = Threshold
d-h-weight = Weight
d-h-items = Items
d-h-against = What speaks against
d-h-against-none = Nothing that the software knows of.
d-h-persons = Persons, by role
d-h-role = Role
d-h-key = Key of the account
d-h-identity = Identity
d-h-messages = Messages
d-h-paid = Paid for acts
d-h-seen = First and last
d-h-place = Place
d-h-content = The content
d-h-platform = Platform
d-h-stream = Stream
d-h-url = Address
d-h-title = Title
d-h-category = Category
d-h-language = Language
d-h-began = Stream began
d-h-live = Live without a break
d-h-viewers = Viewers
d-h-opened = Opened
d-h-updated = Last change
d-h-ended = Over since
d-h-not-ended = not over
d-h-evidence = Items of evidence
d-h-no-evidence = No item is cited.
d-h-number = No.
d-h-kind = Kind
d-h-time = Time
d-h-words = Words, and SHA-256 of the bytes kept
d-item-frame = Picture { $n }, taken at { $time }
d-item-chat = Message { $n }
d-item-donation = Donation { $n }
d-item-reward = Reward { $n }
d-item-notice = Notice { $n }
d-item-moderation = Measure { $n }
d-h-picture-blurred = blurred; open to see
d-h-picture-open = open the picture (its viewing is recorded)
d-h-picture-apart = Picture, handed over as a file of its own
d-h-expired = expired
d-h-money = Donations
d-h-acts = Acts: who paid for what, and what was seen next
d-h-acts-none = No paid request for an act is among the evidence.
d-h-request = Request
d-h-next = What was seen next
d-h-act-score = score of the request
d-h-history = What was known before
d-h-measures = Measures
d-h-measures-taken = Told of by the platform
d-h-measures-none = none that the software was told of
d-h-measures-recommended = Recommended
d-h-preservation = Preservation
d-h-decisions = Decisions of people so far
d-h-decisions-none = No person has decided anything yet.
d-h-confirmed = Confirmed by
d-h-confirmed-none = nobody yet; nothing is sent before a named person confirms it
d-h-unknown = What is not known
d-h-seen-what = What was and was not seen
d-h-models = Models and configuration
d-h-config = Configuration
d-h-schema = Form of this dossier
d-h-page-note = Drafted by software from what it observed. It states suspicions, not findings, and is judged by a person before anything is sent.

## The page

ui-skip = To the content
ui-live-none = read-only page
ui-live-on = live
ui-live-off = not live
ui-lost = The connection to the daemon is lost. What you see may be old. Trying again.
ui-copied = Copied
ui-copy = Copy
ui-degraded = Not everything works:
ui-not-ready = No alert could be raised or stored at the moment.
ui-unwatched-count = { $n ->
    [one] { $n } channel is not seen at the moment.
   *[other] { $n } channels are not seen at the moment.
}
ui-readonly = This page only reads. Alerts are taken and closed with the commands shown, on the machine where Vigie runs.
ui-headline-none = Nothing needs you now
ui-headline-open = { $n ->
    [one] One alert needs somebody
   *[other] { $n } alerts need somebody
}
ui-headline-sub = { $n ->
    [one] { $n } channel watched, { $taken } taken.
   *[other] { $n } channels watched, { $taken } alerts taken.
}
ui-open = Nobody has taken these
ui-taken = Taken
ui-earlier = Earlier
ui-older = Older alerts
ui-channels = Channels
ui-channel = Channel
ui-two-tiers = An alert opens at Concern. Watch is only shown here: nobody is called for it.
ui-no-channels = No channel has been heard of yet.
ui-legend = What the levels ask
ui-rules = Rules that raise nothing
ui-rule-inactive = Inactive: no model measures what it needs.
ui-rule-shadow = { $n ->
    [0] In shadow: no match since the start.
    [one] In shadow: { $n } match since the start.
   *[other] In shadow: { $n } matches since the start.
}
ui-hours = Live for
ui-last = Last event
ui-offline = off air
ui-floor = at least
ui-now = now
ui-since = since
ui-lasted = for
ui-unwatched = not seen
ui-frozen = picture frozen
ui-vulnerable = somebody vulnerable
ui-gap = nothing received from { $from } to { $to }
ui-all-alerts = All alerts
ui-open-stream = Open the stream
ui-not-durable = This alert could not be stored yet: it was sent at once all the same.
ui-do = What to do
ui-112 = if a person may be in danger now: call first. It reaches your own country.
ui-take-how = To take it, so that others know somebody is on it:
ui-close-how = To end it
ui-command-name = NAME
ui-command-why = TEXT
ui-untaken = nobody has taken it yet
ui-taken-by = taken by { $by }
ui-over-since = over since { $at }
ui-dossier = Draft notification (Article 18)
ui-country = Country
ui-why = Why
ui-decided-rule = Decided by the rule “{ $rule }”.
ui-decided-model = Decided by the escalation model: probability { $score }.
ui-threshold = threshold
ui-of-decision = of the decision
ui-evidence-ref = evidence
ui-unseen = What was not seen
ui-said = What was written
ui-no-messages = No message is cited.
ui-pictures = Pictures
ui-no-pictures = No picture is cited.
ui-sharp = show sharp
ui-colour = show in colour
ui-picture-alt = Picture of the stream at { $at }
ui-chart = Over time
ui-no-chart = Not enough points in time yet.
ui-chart-title = Level and signals from { $from } to { $to }
ui-chart-level = Level of the channel
ui-chart-payments = paid
ui-chart-told = { $signal }: highest { $peak } at { $at }, last { $last }.
ui-chart-table = The same as a table
ui-acts = Paid requests, and what was seen next
ui-act-later = { $later } later
ui-previous = The alert before this one
ui-alert-id = Alert
ui-revision = revision
ui-error-missing = Nothing here
ui-error-missing-detail = It never existed, or it has expired.
ui-error-broken = The daemon could not answer
ui-error-broken-detail = Ask again in a moment. /readyz says what does not work.
