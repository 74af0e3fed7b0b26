"""Ten ways in which people hide what they write: text in, hidden text out. Each touches the words that carry the message, so all of four
letters or more, unless it says otherwise."""

import random
import re

LEET = {"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"}
CYRILLIC = {"a": "а", "c": "с", "e": "е", "i": "і", "o": "о", "p": "р", "s": "ѕ", "x": "х", "y": "у", "h": "һ", "j": "ј"}
KEYS = {"a": "q", "z": "e", "e": "r", "r": "t", "t": "y", "i": "o", "o": "p", "s": "d", "d": "f", "l": "m", "n": "b", "u": "i", "c": "v"}
ACCENTS = {"a": "å", "e": "ë", "i": "ï", "o": "õ", "u": "ů", "n": "ñ", "c": "č", "s": "š"}


def words(text, change):
    """`change` of each word of four letters or more."""
    return re.sub(r"[^\W\d_]{4,}", lambda m: change(m.group(0)), text)


def one(word, rng, table):
    """One letter of the word's inside that the table knows."""
    at = [i for i in range(1, len(word)) if word[i].lower() in table]
    if not at:
        return word
    i = rng.choice(at)
    return word[:i] + table[word[i].lower()] + word[i + 1 :]


def swap(word, rng):
    i = rng.randrange(1, len(word) - 2) if len(word) > 4 else 1
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def half(text, rng, change):
    """Half of the words only: for what people do now and then."""
    return words(text, lambda w: change(w) if rng.random() < 0.5 else w)


def apart(text, rng, sep):
    """The two longest words letter by letter."""
    longest = sorted(set(re.findall(r"[^\W\d_]{4,}", text)), key=len)[-2:]
    for w in longest:
        text = text.replace(w, sep.join(w))
    return text


EVASIONS = {
    "digits for letters (m0rt)": lambda t, r: words(t, lambda w: one(one(w, r, LEET), r, LEET)),
    "look-alike letters (Cyrillic)": lambda t, r: words(t, lambda w: "".join(CYRILLIC.get(c, c) if r.random() < 0.5 else c for c in w)),
    "invisible characters inside": lambda t, r: words(t, lambda w: w[:2] + "\u200b" + w[2:-1] + "\u00ad" + w[-1]),
    "letters apart (k i l l)": lambda t, r: apart(t, r, " "),
    "letters with dots (k.i.l.l)": lambda t, r: apart(t, r, "."),
    "stretched letters": lambda t, r: words(t, lambda w: re.sub(r"[aeiouy]", lambda m: m.group(0) * r.randint(3, 6), w, count=1)),
    "other alphabets' forms (fullwidth, bold)": lambda t, r: words(t, lambda w: "".join(chr(ord(c) + 0xFEE0) if "a" <= c <= "z" else c for c in w)),
    "accents added": lambda t, r: words(t, lambda w: one(one(w, r, ACCENTS), r, ACCENTS)),
    "a letter starred (k*ll)": lambda t, r: half(t, r, lambda w: w[:1] + "*" + w[2:]),
    "letters swapped or hit beside": lambda t, r: half(t, r, lambda w: swap(w, r) if r.random() < 0.5 else one(w, r, KEYS)),
}


def hide(name, texts, seed=6):
    rng = random.Random(f"{seed}:{name}")
    return [EVASIONS[name](t, rng) for t in texts]


if __name__ == "__main__":
    for name in EVASIONS:
        print(name, "|", hide(name, ["je vais te massacrer ce soir devant chez toi"])[0])
