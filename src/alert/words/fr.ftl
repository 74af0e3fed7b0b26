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
    [one] { $value } paiement
   *[other] { $value } paiements
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

against-chat-alike = { $value } des messages { $window } se répètent : ce peut être une vague recopiée ou organisée
against-chat-laughter = { $value } des messages { $window } rient
against-picture-motion = l'image est calme : son mouvement { $window } est de { $value }
against-picture-violence-peak = les coups d'œil à l'image { $window } ont été jugés au plus à { $value } violents
against-picture-camera = le dernier coup d'œil n'a été jugé filmé qu'à { $value } : ce peut être un jeu ou une animation
against-picture-frozen = le flux répète la même image : que rien ne bouge ne prouve rien
against-chat-distress-voices = { $n ->
    [0] personne n'a écrit { $window } que quelqu'un est en danger
    [one] une seule personne a écrit { $window } que quelqu'un est en danger
   *[other] seules { $value } personnes ont écrit { $window } que quelqu'un est en danger
}
against-setting-game = la plateforme classe le direct comme un jeu
against-setting-sport = la plateforme classe le direct comme du sport
against-setting-fiction = la plateforme classe le direct comme une fiction
against-charity = le direct dit collecter pour une œuvre
against-no-pictures = aucune image n'a été reçue : rien ne confirme ni ne dément ce que dit le tchat

## Le résumé en une phrase

summary-where = Sur { $channel },{" "}
summary-where-hours = Sur { $channel }, en direct depuis { $hours } heures sans coupure,{" "}
summary-colon = {" "}:{" "}
summary-and = ,{" "}et{" "}
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

level-none = Calme
level-watch = À surveiller
level-concern = Inquiétude
level-danger = Danger
level-threat-to-life = Vie en danger
level-asks-none = Rien à faire.
level-asks-watch = Montré sur la liste, rien de plus.
level-asks-concern = À examiner dans les heures qui viennent.
level-asks-danger = À examiner maintenant.
level-asks-threat-to-life = Agir maintenant : regarder, décider, appeler.
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

## Le dossier

d-draft = PROJET, non envoyé
d-title-provider = Notification d'un soupçon d'infraction présentant une menace pour la vie ou la sécurité
d-title-observer = Notification de contenu illicite et signalement à la police
d-basis-provider = Article 18 du règlement (UE) 2022/2065 (règlement sur les services numériques) : le fournisseur de services d'hébergement informe promptement de son soupçon les autorités répressives ou judiciaires de l'État membre ou des États membres concernés et fournit toutes les informations pertinentes disponibles. Le considérant 56 dit ce qui est fourni.
d-basis-observer = L'auteur de ce projet observe de l'extérieur et n'est pas tenu par l'article 18 du règlement (UE) 2022/2065. Les mêmes faits servent de notification à la plateforme au titre de l'article 16 (explication, emplacement exact du contenu, nom et adresse électronique du notifiant, déclaration de bonne foi) et de signalement à la police.
d-basis-terrorism = Article 14, paragraphe 5, du règlement (UE) 2021/784 : un contenu à caractère terroriste présentant une menace imminente pour la vie est signalé sans tarder aux autorités compétentes en matière d'infractions pénales de l'État membre ou des États membres concernés et, s'ils ne peuvent être identifiés, à l'État membre d'établissement et à Europol.
d-emergency-now = Une personne en danger maintenant est une urgence : appeler d'abord le { $number }. Cette notification ne remplace pas l'appel. Le { $number } joint le pays de celui qui appelle ; pour une personne ailleurs, demander à être mis en relation, ou joindre Europol ou l'autorité nommée ci-dessous.
d-emergency-past = Si quelqu'un peut encore être en danger, appeler d'abord le { $number }. Cette notification ne remplace pas l'appel.
d-emergency-no-call = Aucun appel au numéro d'urgence n'a été consigné.
d-emergency-calls = Appels au numéro d'urgence consignés :
d-fill-in = ______________________ (à compléter)
d-size-micro = microentreprise
d-size-small = petite entreprise
d-size-medium = entreprise moyenne
d-size-large = grande entreprise
d-size-very_large = très grande plateforme en ligne
d-tense-past = l'infraction soupçonnée aurait eu lieu
d-tense-ongoing = l'infraction soupçonnée serait en cours
d-tense-imminent = l'infraction soupçonnée serait sur le point d'avoir lieu
d-state-basis-stream = la plateforme donne ce pays comme celui du direct ; l'infraction soupçonnée y aurait lieu
d-state-basis-provider = État membre d'établissement du fournisseur : aucun État membre concerné ne peut être identifié avec une certitude raisonnable
d-state-basis-other = fondement inconnu
d-states-known = L'État membre est connu par le pays du direct, tel que la plateforme le donne. La résidence de l'auteur présumé et celle de la victime ne sont pas connues ; d'autres États membres peuvent être concernés.
d-states-not-identifiable = L'État membre concerné ne peut être identifié avec une certitude raisonnable (article 18, paragraphe 2) : la langue du direct n'est pas un fondement.
d-part-first = destinataire
d-part-copy = copie
d-reach-portal = portail en ligne
d-reach-email = courriel
d-reach-api = interface technique
d-reach-phone = téléphone
d-note-no-contact = Le contact n'est pas dans la table des autorités : une personne le complète avant l'envoi.
d-note-to-verify = Personne n'a encore vérifié ce contact : le contrôler avant l'envoi.
d-note-verified = Vérifié à la date indiquée.
d-decided-rule = Le niveau a été décidé par la règle « { $rule } » ; ses conditions remplies se partagent le poids.
d-decided-model = Le niveau « { $level } » a été décidé par le modèle d'escalade, avec une probabilité de { $score }. Les poids sont la part des signaux dans celle-ci.
d-person-unknown = inconnue du logiciel ; à compléter par une personne
d-person-held = conservée chiffrée ; ouverte à la confirmation
d-person-opened = { $id }, nom { $name } ; ouverte par { $by }
d-place-how-stream = Pays du direct, tel que la plateforme le donne. Aucune adresse ni position n'est détenue.
d-place-how-outside = Pays du direct, tel que la plateforme le donne ; ce n'est pas un État membre. Aucune adresse ni position n'est détenue.
d-place-how-unknown = La plateforme n'a donné aucun pays. Aucune adresse ni position n'est détenue. La langue du direct n'indique pas le lieu.
d-times = Les heures des messages, des dons et des images sont celles où ils ont eu lieu à la source, telles que la plateforme les donne. « Ouverte » et « dernier changement » sont les heures du même direct auxquelles le soupçon est né et a changé. « Projet établi » est l'horloge de la machine.
d-money-count = { $n ->
    [one] { $value } don pendant l'incident et la veille, { $sum } en tout.
   *[other] { $value } dons pendant l'incident et la veille, { $sum } en tout.
}
d-money-acts = { $n ->
    [0] Aucun n'a été jugé réclamer un acte qui blesse quelqu'un.
    [one] { $value } a été jugé réclamer un acte qui blesse quelqu'un.
   *[other] { $value } ont été jugés réclamer un acte qui blesse quelqu'un.
}
d-money-unseen = Le flux n'apportait pas les dons : on ne sait pas s'il y en a eu.
d-money-coupling = La violence a suivi l'argent { $value } fois plus souvent que le hasard.
d-money-no-coupling = Que la violence suive l'argent n'a pas pu être comparé au hasard.
d-act-violence = violence { $value }
d-act-motion = mouvement { $value }
d-list-comma = ,{" "}
d-act-no-look = aucune image n'a été reçue ensuite
d-act-no-score = une image a été reçue ; aucun modèle ne l'a jugée
d-history-incident = C'est l'incident numéro { $value } sur la chaîne depuis que Vigie la regarde.
d-history-notices = { $n ->
    [0] Aucun signalement sur la chaîne n'a été reçu ces 90 derniers jours.
    [one] { $value } signalement sur la chaîne a été reçu ces 90 derniers jours.
   *[other] { $value } signalements sur la chaîne ont été reçus ces 90 derniers jours.
}
d-history-days = { $n ->
    [0] Aucune demande d'acte payée n'a été reçue au cours des 90 derniers jours.
    [one] Des demandes d'actes payées ont été reçues { $value } jour sur les 90 derniers.
   *[other] Des demandes d'actes payées ont été reçues { $value } jours sur les 90 derniers.
}
d-history-previous = Elle suit une alerte antérieure : { $id }.
d-kept-hold = Conservation ordonnée par { $by } jusqu'au { $until } ; fondement : { $basis }.
d-kept-no-hold = Aucun ordre de conservation n'a été consigné.
d-kept-until = Le matériel cité est conservé jusqu'au { $until }, sauf ordre de conservation plus long.
d-kept-open = Le matériel cité est conservé jusqu'à { $days } jours après la fin de l'incident, sauf ordre de conservation plus long.
d-kept-expired = { $n ->
    [one] { $n } pièce citée a expiré ; son empreinte reste.
   *[other] { $n } pièces citées ont expiré ; leurs empreintes restent.
}
d-unknown-victim = L'identité de la victime.
d-unknown-victim-place = Le lieu où la victime réside ou se trouve.
d-unknown-suspect = L'identité de l'auteur présumé, et s'il y en a un.
d-unknown-suspect-place = Le lieu où l'auteur présumé réside ou se trouve.
d-unknown-account-holder = Le titulaire du compte de la chaîne : les registres de la plateforme n'ont pas été consultés.
d-unknown-exact-place = Le lieu exact de ce qui est vu.
d-unknown-country = Le pays du direct.
d-unknown-url = L'adresse du direct.
d-unknown-started-at = Quand le direct a commencé.
d-unknown-persons-identity = L'identité civile des comptes listés ; ce que la plateforme en a dit est conservé chiffré.
d-unknown-pictures = Ce que montre l'image : aucune image n'est parmi les pièces.
d-unknown-sound = Ce qui a été dit à voix haute : le son n'est pas analysé.
d-unknown-emergency-call = Si quelqu'un a appelé le numéro d'urgence.
d-unknown-provider = Les données de l'expéditeur laissées en blanc ci-dessus.
d-unknown-offence = De quelle infraction il s'agirait : ni les règles ni les signaux n'en nomment.
d-seen-chat-yes = Le tchat a été reçu.
d-seen-chat-no = Le tchat n'a pas été reçu.
d-seen-frames-yes = Les images ont été reçues.
d-seen-frames-no = Les images n'ont pas été reçues.
d-seen-donations-yes = Les dons ont été reçus.
d-seen-donations-no = Les dons n'ont pas été reçus.
d-seen-language = La langue du direct ({ $language }) n'est pas de celles où le modèle de texte a été mesuré : ses scores sont moins sûrs.
d-seen-no-gaps = Aucune lacune dans ce qui a été reçu n'est connue.
d-seen-gap = Rien n'a été reçu du { $from } au { $to }.

d-h-from = De
d-h-to = À
d-h-reference = Référence
d-h-made = Projet établi
d-h-basis = Fondement juridique
d-h-emergency = L'urgence d'abord : le { $number }
d-h-sender-provider = Fournisseur qui notifie
d-h-sender-observer = Auteur du signalement
d-h-name = Nom
d-h-address = Adresse
d-h-establishment = Établi en
d-h-legal-representative = Représentant légal
d-h-contact-point = Point de contact
d-h-duty-phone = Téléphone, jour et nuit
d-h-size = Taille
d-h-addressees = Adressé à
d-h-authority = Autorité
d-h-channel-way = Voie
d-h-contact = Contact
d-h-languages = Langues
d-h-source = Publié à
d-h-verified = Vérifié le
d-h-states = États membres concernés
d-h-suspicion = Le soupçon
d-h-tense = Quand
d-h-offences = Infractions soupçonnées
d-h-no-offence = aucune nommée ; à apprécier par une personne
d-h-level = Niveau
d-h-level-now = maintenant
d-h-explanation = Pourquoi ce soupçon
d-h-reason = Raison
d-h-value = Valeur
d-h-window = Fenêtre
d-h-threshold = Seuil
d-h-weight = Poids
d-h-items = Pièces
d-h-against = Ce qui parle contre
d-h-against-none = Rien que le logiciel connaisse.
d-h-persons = Personnes, par rôle
d-h-role = Rôle
d-h-key = Clé du compte
d-h-identity = Identité
d-h-messages = Messages
d-h-paid = Payé pour des actes
d-h-seen = Premier et dernier
d-h-place = Lieu
d-h-content = Le contenu
d-h-platform = Plateforme
d-h-stream = Direct
d-h-url = Adresse
d-h-title = Titre
d-h-category = Catégorie
d-h-language = Langue
d-h-began = Début du direct
d-h-live = En direct sans coupure
d-h-viewers = Spectateurs
d-h-opened = Ouverte
d-h-updated = Dernier changement
d-h-ended = Terminée depuis
d-h-not-ended = pas terminée
d-h-evidence = Pièces
d-h-no-evidence = Aucune pièce n'est citée.
d-h-number = N°
d-h-kind = Nature
d-h-time = Heure
d-h-words = Paroles, et SHA-256 des octets conservés
d-item-frame = Image { $n }, prise à { $time }
d-item-chat = Message { $n }
d-item-donation = Don { $n }
d-item-reward = Récompense { $n }
d-item-notice = Signalement { $n }
d-item-moderation = Mesure { $n }
d-h-picture-blurred = floutée ; ouvrir pour voir
d-h-picture-open = ouvrir l'image (sa consultation est enregistrée)
d-h-picture-apart = Image, remise comme fichier à part
d-h-expired = expirée
d-h-money = Dons
d-h-acts = Actes : qui a payé quoi, et ce qui a été vu ensuite
d-h-acts-none = Aucune demande d'acte payée n'est parmi les pièces.
d-h-request = Demande
d-h-next = Ce qui a été vu ensuite
d-h-act-score = score de la demande
d-h-history = Ce qui était connu avant
d-h-measures = Mesures
d-h-measures-taken = Dont la plateforme a fait part
d-h-measures-none = aucune dont le logiciel ait eu connaissance
d-h-measures-recommended = Recommandées
d-h-preservation = Conservation
d-h-decisions = Décisions de personnes à ce jour
d-h-decisions-none = Personne n'a encore rien décidé.
d-h-confirmed = Confirmé par
d-h-confirmed-none = personne encore ; rien n'est envoyé avant qu'une personne nommée ne confirme
d-h-unknown = Ce qui n'est pas connu
d-h-seen-what = Ce qui a été vu et ce qui ne l'a pas été
d-h-models = Modèles et configuration
d-h-config = Configuration
d-h-schema = Forme de ce dossier
d-h-page-note = Établi par un logiciel d'après ce qu'il a observé. Il énonce des soupçons, non des constats, et une personne l'apprécie avant tout envoi.

## La page

ui-skip = Aller au contenu
ui-live-none = page en lecture seule
ui-live-on = en direct
ui-live-off = pas en direct
ui-lost = La connexion au démon est perdue. Ce que vous voyez est peut-être ancien. Nouvel essai en cours.
ui-copied = Copié
ui-copy = Copier
ui-degraded = Tout ne fonctionne pas :
ui-not-ready = Aucune alerte ne pourrait être levée ou conservée en ce moment.
ui-unwatched-count = { $n ->
    [one] { $n } chaîne n'est pas vue en ce moment.
   *[other] { $n } chaînes ne sont pas vues en ce moment.
}
ui-readonly = Cette page ne fait que lire. Les alertes se prennent et se closent par les commandes affichées, sur la machine où tourne Vigie.
ui-headline-none = Rien ne vous demande maintenant
ui-headline-open = { $n ->
    [one] Une alerte attend quelqu'un
   *[other] { $n } alertes attendent quelqu'un
}
ui-headline-sub = { $n ->
    [one] { $n } chaîne surveillée, { $taken } alerte prise en charge.
   *[other] { $n } chaînes surveillées, alertes prises en charge : { $taken }.
}
ui-open = Personne ne les a prises
ui-taken = Prises en charge
ui-earlier = Plus tôt
ui-older = Alertes plus anciennes
ui-channels = Chaînes
ui-channel = Chaîne
ui-two-tiers = Une alerte s'ouvre à partir d'« Inquiétude ». « À surveiller » n'est montré qu'ici : personne n'est appelé pour cela.
ui-no-channels = Aucune chaîne n'a encore donné de nouvelles.
ui-legend = Ce que demandent les niveaux
ui-rules = Règles qui ne lèvent rien
ui-rule-inactive = Inactive : aucun modèle ne mesure ce qu'il lui faut.
ui-rule-shadow = { $n ->
    [0] Dans l'ombre : aucune correspondance depuis le démarrage.
    [one] Dans l'ombre : { $n } correspondance depuis le démarrage.
   *[other] Dans l'ombre : { $n } correspondances depuis le démarrage.
}
ui-hours = En direct depuis
ui-last = Dernier événement
ui-offline = hors antenne
ui-floor = au moins
ui-now = maintenant
ui-since = depuis
ui-lasted = durée
ui-unwatched = pas vue
ui-frozen = image figée
ui-vulnerable = personne vulnérable
ui-gap = rien reçu de { $from } à { $to }
ui-all-alerts = Toutes les alertes
ui-open-stream = Ouvrir le direct
ui-not-durable = Cette alerte n'a pas encore pu être conservée : elle a été envoyée aussitôt malgré tout.
ui-do = Que faire
ui-112 = si une personne peut être en danger maintenant : appeler d'abord. Il joint votre propre pays.
ui-take-how = Pour la prendre en charge, afin que les autres sachent que quelqu'un s'en occupe :
ui-close-how = Pour la clore
ui-command-name = NOM
ui-command-why = TEXTE
ui-untaken = personne ne l'a encore prise
ui-taken-by = prise en charge par { $by }
ui-over-since = terminée depuis { $at }
ui-dossier = Projet de notification (article 18)
ui-country = Pays
ui-why = Pourquoi
ui-decided-rule = Décidé par la règle « { $rule } ».
ui-decided-model = Décidé par le modèle d'escalade : probabilité { $score }.
ui-threshold = seuil
ui-of-decision = de la décision
ui-evidence-ref = pièces
ui-unseen = Ce qui n'a pas été vu
ui-said = Ce qui a été écrit
ui-no-messages = Aucun message n'est cité.
ui-pictures = Images
ui-no-pictures = Aucune image n'est citée.
ui-sharp = montrer net
ui-colour = montrer en couleur
ui-picture-alt = Image du direct à { $at }
ui-chart = Au fil du temps
ui-no-chart = Pas encore assez de points dans le temps.
ui-chart-title = Niveau et signaux de { $from } à { $to }
ui-chart-level = Niveau de la chaîne
ui-chart-payments = payé
ui-chart-told = { $signal } : au plus { $peak } à { $at }, en dernier { $last }.
ui-chart-table = La même chose en tableau
ui-acts = Demandes payées, et ce qui a été vu ensuite
ui-act-later = { $later } plus tard
ui-previous = L'alerte précédente
ui-alert-id = Alerte
ui-revision = révision
ui-error-missing = Rien ici
ui-error-missing-detail = Cela n'a jamais existé, ou a expiré.
ui-error-broken = Le démon n'a pas pu répondre
ui-error-broken-detail = Demander à nouveau dans un moment. /readyz dit ce qui ne marche pas.
