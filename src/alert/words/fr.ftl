# Les mots de Vigie en français. Une clé, un texte ; `en.ftl` a les mêmes clés.
# Arguments : $n le nombre arrondi (accords), $value tel qu'écrit, $amount « environ 3 messages », $window.

yes = oui
no = non
not-known = inconnu

## Fenêtres et durées

window-60s = dans la dernière minute
window-2m = en 2 minutes
window-10m = ces 10 dernières minutes
window-30m = ces 30 dernières minutes
window-24h = ces dernières 24 heures
window-7d = ces 7 derniers jours
window-30d = ces 30 derniers jours
window-90d = ces 90 derniers jours
window-now = en ce moment
span-60s = 60 s
span-2m = 2 min
span-10m = 10 min
span-30m = 30 min
span-24h = 24 h
span-7d = 7 jours
span-30d = 30 jours
span-90d = 90 jours
span-now = en ce moment

duration-seconds = { $n ->
    [one] { $value } seconde
   *[other] { $value } secondes
}
duration-minutes = { $n ->
    [one] { $value } minute
   *[other] { $value } minutes
}
duration-hours = { $n ->
    [one] { $value } heure
   *[other] { $value } heures
}
duration-days = { $n ->
    [one] { $value } jour
   *[other] { $value } jours
}

month-1 = janvier
month-2 = février
month-3 = mars
month-4 = avril
month-5 = mai
month-6 = juin
month-7 = juillet
month-8 = août
month-9 = septembre
month-10 = octobre
month-11 = novembre
month-12 = décembre

## Unités

unit-voices = { $n ->
    [one] { $value } personne
   *[other] { $value } personnes
}
unit-messages = { $n ->
    [one] { $value } message
   *[other] { $value } messages
}
unit-gifts = { $n ->
    [one] { $value } don
   *[other] { $value } dons
}
unit-looks = { $n ->
    [one] { $value } coup d'œil
   *[other] { $value } coups d'œil
}
unit-hours = { $n ->
    [one] { $value } heure
   *[other] { $value } heures
}
unit-viewers = { $n ->
    [one] { $value } spectateur
   *[other] { $value } spectateurs
}
unit-days = { $n ->
    [one] { $value } jour
   *[other] { $value } jours
}
unit-measures = { $n ->
    [one] { $value } mesure
   *[other] { $value } mesures
}
unit-notices = { $n ->
    [one] { $value } signalement
   *[other] { $value } signalements
}
unit-ratio = { $value } fois le hasard

about-messages = { $n ->
    [0] moins d'un message
    [one] environ un message
   *[other] environ { $value } messages
}
about-gifts = { $n ->
    [0] moins d'un paiement
    [one] environ un paiement
   *[other] environ { $value } paiements
}
about-looks = { $n ->
    [0] moins d'un moment
    [one] environ un moment
   *[other] environ { $value } moments
}

## Ce que mesure chaque signal

signal-chat-threat = Menaces dans le tchat
signal-chat-incitement = Appels à des actes qui blessent
signal-chat-self-harm = Automutilation ou suicide annoncés
signal-chat-self-harm-urging = Incitations au suicide
signal-chat-distress = Détresse dans le tchat
signal-chat-harassment = Harcèlement
signal-chat-sexual-abuse = Violences sexuelles en paroles
signal-chat-toxicity = Messages haineux ou grossiers
signal-chat-threat-peak = Menace la plus forte
signal-chat-self-harm-peak = Annonce la plus forte de suicide
signal-chat-threat-voices = Personnes qui menacent
signal-chat-incitement-voices = Personnes qui réclament des actes
signal-chat-self-harm-urging-voices = Personnes qui incitent au suicide
signal-chat-distress-voices = Personnes qui disent quelqu'un en danger
signal-chat-harassment-voices = Personnes qui harcèlent
signal-chat-messages = Messages
signal-chat-alike = Part de messages recopiés
signal-chat-laughter = Part de rires
signal-money-paid = Dons
signal-money-eur = Argent donné
signal-money-acts = Paiements réclamant des actes
signal-money-acts-eur = Argent donné pour des actes
signal-coupling-violence-after-money = Violence après un paiement
signal-coupling-money-after-violence = Argent après la violence
signal-coupling-motion-after-money = Agitation après un paiement
signal-coupling-distress-after-money = Détresse après un paiement
signal-coupling-lift = Violence après l'argent, contre le hasard
signal-picture-violence-peak = Violence la plus forte à l'image
signal-picture-violence = Violence à l'image
signal-picture-person-down-peak = Une personne au sol
signal-picture-nudity-peak = Nudité
signal-picture-weapon-peak = Une arme
signal-picture-motion = Mouvement à l'image
signal-picture-camera = L'image est filmée
signal-picture-still = Plus longue immobilité
signal-picture-still-after-motion = Plus longue immobilité après une agitation
signal-picture-frozen = Image figée
signal-stream-hours-live = Durée du direct sans coupure
signal-stream-viewers = Spectateurs
signal-history-days-with-acts = Jours avec paiements pour des actes
signal-history-measures = Mesures contre la chaîne
signal-notice-count = Signalements reçus

## Un signal comme raison : une proposition qui tient seule ou dans le résumé

reason-chat-threat = le tchat a apporté { $amount } menaçant quelqu'un { $window }
reason-chat-incitement = le tchat a apporté { $amount } réclamant ou payant un acte qui blesse quelqu'un { $window }
reason-chat-self-harm = le tchat a apporté { $amount } annonçant un suicide ou une automutilation { $window }
reason-chat-self-harm-urging = le tchat a apporté { $amount } poussant quelqu'un à se tuer ou à se blesser { $window }
reason-chat-distress = le tchat a apporté { $amount } disant que quelqu'un est en danger { $window }
reason-chat-harassment = le tchat a apporté { $amount } insultant ou humiliant quelqu'un { $window }
reason-chat-sexual-abuse = le tchat a apporté { $amount } parlant sexuellement d'une personne sans son consentement { $window }
reason-chat-toxicity = le tchat a apporté { $amount } aux mots haineux ou dégradants { $window }
reason-chat-threat-peak = un message { $window } a été jugé à { $value } être une menace
reason-chat-self-harm-peak = un message { $window } a été jugé à { $value } annoncer un suicide ou une automutilation
reason-chat-threat-voices = { $n ->
    [one] { $value } personne a menacé quelqu'un { $window }
   *[other] { $value } personnes différentes ont menacé quelqu'un { $window }
}
reason-chat-incitement-voices = { $n ->
    [one] { $value } personne a réclamé { $window } un acte qui blesse quelqu'un
   *[other] { $value } personnes différentes ont réclamé { $window } un acte qui blesse quelqu'un
}
reason-chat-self-harm-urging-voices = { $n ->
    [one] { $value } personne a poussé quelqu'un { $window } à se tuer ou à se blesser
   *[other] { $value } personnes différentes ont poussé quelqu'un { $window } à se tuer ou à se blesser
}
reason-chat-distress-voices = { $n ->
    [one] { $value } personne a écrit { $window } que quelqu'un est en danger
   *[other] { $value } personnes différentes ont écrit { $window } que quelqu'un est en danger
}
reason-chat-harassment-voices = { $n ->
    [one] { $value } personne a insulté ou humilié quelqu'un { $window }
   *[other] { $value } personnes différentes ont insulté ou humilié quelqu'un { $window }
}
reason-chat-messages = le tchat a apporté { $amount } { $window }
reason-chat-alike = { $value } des messages { $window } se répètent
reason-chat-laughter = { $value } des messages { $window } rient
reason-money-paid = les spectateurs ont fait { $amount } { $window }
reason-money-eur = les spectateurs ont donné { $value } { $window }
reason-money-acts = les spectateurs ont fait { $amount } { $window } en réclamant un acte qui blesse quelqu'un
reason-money-acts-eur = les spectateurs ont donné { $value } { $window } en réclamant des actes qui blessent quelqu'un
reason-coupling-violence-after-money = de la violence a été vue à { $amount } { $window } peu après une demande d'acte payée
reason-coupling-money-after-violence = les spectateurs ont fait { $amount } { $window } peu après de la violence à l'image
reason-coupling-motion-after-money = une agitation soudaine a été vue à { $amount } { $window } peu après une demande d'acte payée
reason-coupling-distress-after-money = le tchat a apporté { $amount } de détresse { $window } peu après une demande d'acte payée
reason-coupling-lift = la violence a suivi l'argent { $value } fois plus souvent que le hasard { $window }
reason-picture-violence-peak = un coup d'œil à l'image { $window } a été jugé à { $value } montrer de la violence
reason-picture-violence = de la violence a été vue à { $amount } { $window }
reason-picture-person-down-peak = un coup d'œil à l'image { $window } a été jugé à { $value } montrer une personne tombée au sol
reason-picture-nudity-peak = un coup d'œil à l'image { $window } a été jugé à { $value } montrer de la nudité
reason-picture-weapon-peak = un coup d'œil à l'image { $window } a été jugé à { $value } montrer une arme
reason-picture-motion = le mouvement de l'image { $window } est de { $value }
reason-picture-camera = le dernier coup d'œil a été jugé à { $value } filmé, ni jeu ni animation
reason-picture-still = rien n'a bougé à l'image pendant { $value } { $window }
reason-picture-still-after-motion = rien n'a bougé à l'image pendant { $value } après une forte agitation
reason-picture-frozen = le flux répète la même image
reason-stream-hours-live = { $n ->
    [one] le direct dure depuis une heure sans coupure
   *[other] le direct dure depuis { $value } heures sans coupure
}
reason-stream-viewers = { $n ->
    [one] { $value } personne regarde
   *[other] { $value } personnes regardent
}
reason-history-days-with-acts = { $n ->
    [0] des paiements pour des actes qui blessent ont déjà eu lieu { $window }
    [one] des paiements pour des actes qui blessent ont eu lieu { $value } jour { $window }
   *[other] des paiements pour des actes qui blessent ont eu lieu { $value } jours { $window }
}
reason-history-measures = { $n ->
    [0] la plateforme a pris une mesure contre la chaîne { $window }
    [one] la plateforme a pris { $value } mesure contre la chaîne { $window }
   *[other] la plateforme a pris { $value } mesures contre la chaîne { $window }
}
reason-notice-count = { $n ->
    [0] un signalement sur la chaîne a été reçu { $window }
    [one] { $value } signalement sur la chaîne a été reçu { $window }
   *[other] { $value } signalements sur la chaîne ont été reçus { $window }
}

## Ce qui peut parler contre

against-chat-alike = { $value } des messages { $window } se répètent : ce peut être une vague recopiée ou organisée
against-chat-laughter = { $value } des messages { $window } rient
against-picture-motion = l'image est calme : son mouvement { $window } est de { $value }
against-picture-violence-peak = les coups d'œil à l'image { $window } ont été jugés au plus à { $value } violents
against-picture-camera = le dernier coup d'œil n'a été jugé filmé qu'à { $value } : ce peut être un jeu ou une animation
against-picture-frozen = le flux répète la même image : que rien ne bouge ne prouve rien
against-chat-distress-voices = { $n ->
    [0] personne n'a écrit { $window } que quelqu'un est en danger
    [one] une seule personne a écrit { $window } que quelqu'un est en danger
   *[other] seules { $value } personnes ont écrit { $window } que quelqu'un est en danger
}
against-setting-game = la plateforme classe le direct comme un jeu
against-setting-sport = la plateforme classe le direct comme du sport
against-setting-fiction = la plateforme classe le direct comme une fiction
against-charity = le direct dit collecter pour une œuvre
against-no-pictures = aucune image n'a été reçue : rien ne confirme ni ne dément ce que dit le tchat

## Le résumé en une phrase

summary-where = Sur { $channel },{" "}
summary-where-hours = Sur { $channel }, en direct depuis { $hours } heures sans coupure,{" "}
summary-colon = {" "}:{" "}
summary-and = {" "}et{" "}
summary-threat-to-life-past = une personne a peut-être été en danger de mort
summary-threat-to-life-ongoing = une personne est peut-être en danger de mort maintenant
summary-threat-to-life-imminent = une personne sera peut-être bientôt en danger de mort
summary-danger-past = une personne a peut-être été blessée
summary-danger-ongoing = une personne est peut-être en train d'être blessée
summary-danger-imminent = une personne sera peut-être bientôt blessée
summary-concern-past = quelque chose a peut-être mal tourné
summary-concern-ongoing = quelque chose est peut-être en train de mal tourner
summary-concern-imminent = quelque chose va peut-être mal tourner
summary-watch-past = il y a eu de premiers signes inquiétants
summary-watch-ongoing = il y a de premiers signes inquiétants
summary-watch-imminent = il y a de premiers signes inquiétants
summary-none-past = rien ne ressort
summary-none-ongoing = rien ne ressort
summary-none-imminent = rien ne ressort

## Niveaux, temps, états

level-none = Rien
level-watch = À surveiller
level-concern = Inquiétude
level-danger = Danger
level-threat-to-life = Vie en danger
level-asks-none = Rien à faire.
level-asks-watch = Montré sur la liste, rien de plus.
level-asks-concern = À examiner dans les heures qui viennent.
level-asks-danger = À examiner maintenant.
level-asks-threat-to-life = Agir maintenant : regarder, décider, appeler.
tense-past = a eu lieu
tense-ongoing = est en cours
tense-imminent = est sur le point d'avoir lieu
state-open = ouverte
state-acknowledged = prise en charge
state-confirmed = confirmée
state-dismissed = écartée
state-closed = close
state-ended = terminée

offence-violence-against-person = violences sur une personne
offence-incitement-to-violence = incitation à la violence
offence-threat = menaces
offence-abuse-of-vulnerable-person = abus d'une personne vulnérable
offence-encouragement-of-suicide = provocation au suicide ou à l'automutilation
offence-sexual-violence = violences sexuelles
offence-intimate-images = diffusion d'images intimes sans consentement
offence-minor-sexual = contenus sexuels d'un mineur
offence-terrorism = terrorisme

measure-human-review-now = faire regarder par une personne maintenant
measure-call-emergency-number = appeler le numéro d'urgence
measure-interrupt-stream = interrompre le direct
measure-suspend-monetisation = suspendre dons, cadeaux et publicités
measure-slow-or-close-chat = ralentir ou fermer le tchat
measure-age-restrict = restreindre par âge

kind-frame = image
kind-chat = message du tchat
kind-donation = don
kind-reward = récompense
kind-notice = signalement
kind-moderation = mesure

decision-acknowledge = prise en charge
decision-close = clôture

role-inciter = a réclamé ou payé des actes
role-threatener = a menacé
role-witness = a dit que quelqu'un est en danger
role-victim = victime possible
role-suspect = auteur présumé

country-AT = Autriche
country-BE = Belgique
country-BG = Bulgarie
country-CY = Chypre
country-CZ = Tchéquie
country-DE = Allemagne
country-DK = Danemark
country-EE = Estonie
country-ES = Espagne
country-FI = Finlande
country-FR = France
country-GR = Grèce
country-HR = Croatie
country-HU = Hongrie
country-IE = Irlande
country-IT = Italie
country-LT = Lituanie
country-LU = Luxembourg
country-LV = Lettonie
country-MT = Malte
country-NL = Pays-Bas
country-PL = Pologne
country-PT = Portugal
country-RO = Roumanie
country-SE = Suède
country-SI = Slovénie
country-SK = Slovaquie
country-EU = Union européenne
