"""Words of the composed recordings that are not taken from real chats: donation texts that ask for acts, friendly
ones, and what onlookers write when something goes wrong. All written for these tests; French and English.
"""

ASKING = [
    "20 balles si tu le frappes encore",
    "slap him again, harder this time",
    "mets-lui une claque pour moi",
    "50 euros and you choke him for ten seconds",
    "pousse-le par terre, je double",
    "hit him in the stomach",
    "allez frappe-le, on veut du spectacle",
    "I pay 30 more if you throw him to the ground",
    "tire-lui les cheveux jusqu'à ce qu'il crie",
    "punch him, he deserves it",
    "étrangle-le un peu, 40 balles",
    "make him bleed and I send another 100",
    "encore une gifle, plus fort",
    "kick him while he's down",
    "jette-le contre le mur",
    "beat him up, here is your money",
    "réveille-le à coups de pied",
    "don't let him sleep, hit him every time he closes his eyes",
    "fais-lui mal, pas de pitié",
    "smash his head on the table",
]

FRIENDLY = [
    "merci pour le stream, bonne soirée à tous",
    "love your videos, keep it up",
    "passe le bonjour à ta famille",
    "here is a coffee for you two",
    "tu peux mettre de la musique ?",
    "greetings from Lille, nice weather today",
    "bravo pour les cent mille abonnés",
    "first donation ever, you earned it",
    "un petit soutien pour le voyage",
    "what camera do you use?",
    "joyeux anniversaire en retard",
    "you always make my day",
    "raconte encore l'histoire du train",
    "say hello to my sister Anna please",
    "courage pour les examens",
    "great chat today, thanks mods",
    "pour acheter des croissants demain",
    "happy to be here from the start",
    "vous êtes au top tous les deux",
    "can you show the view again?",
]

DISTRESS = [
    "he is not moving, somebody check on him",
    "il bouge plus là, c'est pas drôle",
    "stop it, he can't breathe",
    "appelez le 15 maintenant",
    "call an ambulance, he is really hurt",
    "il respire plus ???",
    "this is real, he is unconscious",
    "arrêtez, il est inconscient",
    "someone call 911 now",
    "il saigne de la tête, aidez-le",
    "he hit his head, he doesn't wake up",
    "appelez les secours, il répond plus",
    "wake him up, he is not responding",
    "c'est grave là, il faut une ambulance",
]

# What donors of the marathon pay for, in its own words: games, never people.
ANIMALS = ["kill the animals", "save the animals", "kill the animals!!! time is everything", "save the animals, frames be damned"]
