"""What the chat model sees of a message: text in, normalised tokens and hashed n-gram ids out.

The same rules stand in `src/model/text.rs`; `tests/fixtures/chat_parity.json` holds both to them. The steps:
 1. Longer than 4,096 characters: the first and the last 2,048 stand for the text.
 2. NFKD, lower case, marks and invisible characters dropped, look-alike letters folded.
 3. Tokens: words, numbers by their length (emergency numbers stay), `? ! " € $ £ @`, one emoji or `:emote:` each, `url`.
 4. In a word: digits between letters, and one or two at its end, read as letters, stretched letters shortened, elisions split,
    spelled-out words joined; a star between letters stays, for `pieces.py` to read.
 5. Ids: word 1- and 2-grams, then character 3- to 5-grams of each word, FNV-1a, sorted, each once; 0 is padding. Words alone have the
    ids below a third of `buckets`, so that they collide with each other only; all else has the ids above.
"""

import unicodedata

HEAD = TAIL = 2048
WORD_MAX = 40

KEEP_NUMBERS = {"911", "112", "999", "15", "17", "18", "3114", "988", "119", "116"}
ELISIONS = {"qu", "jusqu", "lorsqu", "puisqu", "quelqu", "presqu"}
LEET = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "@": "a", "$": "s"}
# Digits that read as letters at a word's end too, where no price or measure follows: "frapp3", "mort5".
ENDING = set("013457")
PRICED = set("€$£%")

# Letters that NFKD leaves alone, folded wherever they stand.
FOLD = {
    "œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "ɑ": "a", "ɡ": "g",
    "ᴀ": "a", "ʙ": "b", "ᴄ": "c", "ᴅ": "d", "ᴇ": "e", "ꜰ": "f", "ɢ": "g", "ʜ": "h", "ɪ": "i", "ᴊ": "j", "ᴋ": "k",
    "ʟ": "l", "ᴍ": "m", "ɴ": "n", "ᴏ": "o", "ᴘ": "p", "ʀ": "r", "ꜱ": "s", "ᴛ": "t", "ᴜ": "u", "ᴠ": "v", "ᴡ": "w",
    "ʏ": "y", "ᴢ": "z", "’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
}
# Cyrillic and Greek letters that look Latin, folded in words that also hold a Latin letter.
LOOKALIKE = {
    "а": "a", "в": "b", "е": "e", "к": "k", "м": "m", "н": "h", "о": "o", "р": "p", "с": "c", "т": "t", "у": "y",
    "х": "x", "і": "i", "ѕ": "s", "ј": "j", "ԁ": "d", "һ": "h", "ɩ": "i", "α": "a", "ε": "e", "ι": "i", "κ": "k",
    "ν": "v", "ο": "o", "ρ": "p", "τ": "t", "υ": "u", "χ": "x",
}
VOWELS = set("aeiouy")
SIGNS = set('?!"€$£')


def _invisible(code):
    return (
        code == 0xAD or code == 0x180E or 0x200B <= code <= 0x200F or 0x202A <= code <= 0x202E
        or 0x2060 <= code <= 0x206F or code == 0xFEFF or 0xFE00 <= code <= 0xFE0F
        or 0x1F3FB <= code <= 0x1F3FF or 0xE0000 <= code <= 0xE0FFF
    )


def _emoji(code):
    return 0x1F000 <= code <= 0x1FAFF or 0x2600 <= code <= 0x27BF or 0x2190 <= code <= 0x23FF or 0x2B00 <= code <= 0x2BFF


_fold_cache = {}


def _fold(ch):
    """One character of the raw text as folded lower-case characters (possibly none)."""
    got = _fold_cache.get(ch)
    if got is None:
        out = []
        for part in unicodedata.normalize("NFKD", ch):
            code = ord(part)
            if _invisible(code) or unicodedata.category(part)[0] == "M":
                continue
            if 0x1F150 <= code <= 0x1F169:
                part = chr(ord("a") + code - 0x1F150)
            elif 0x1F170 <= code <= 0x1F189:
                part = chr(ord("a") + code - 0x1F170)
            for low in part.lower():
                if unicodedata.category(low)[0] == "M":
                    continue
                out.append(FOLD.get(low, low))
        got = "".join(out)
        _fold_cache[ch] = got
    return got


def _letter(ch):
    return ("a" <= ch <= "z") or ("0" <= ch <= "9") or (ord(ch) > 127 and ch.isalnum() and not _emoji(ord(ch)))


def _digit(ch):
    return "0" <= ch <= "9"


def _is_alpha(ch):
    return _letter(ch) and not _digit(ch)


def _shorten(word):
    """Stretched letters: a run of three or more becomes one vowel, or two consonants (one at a word's end, but l, s)."""
    out = []
    i = 0
    n = len(word)
    while i < n:
        j = i
        while j < n and word[j] == word[i]:
            j += 1
        run = j - i
        c = word[i]
        if run >= 3 and not _digit(c):
            if c in VOWELS:
                run = 1
            elif j == n and c not in "ls":
                run = 1
            else:
                run = 2
        out.append(c * run)
        i = j
    return "".join(out)


def _finish(word):
    """A raw word as its final form: look-alikes, stretches, numbers."""
    if any("a" <= c <= "z" for c in word):
        word = "".join(LOOKALIKE.get(c, c) for c in word)
    word = _shorten(word)
    if all(_digit(c) for c in word):
        return word if word in KEEP_NUMBERS else "0" * min(len(word), 5)
    return word[:WORD_MAX]


def tokens(text):
    if len(text) > HEAD + TAIL:
        text = text[:HEAD] + " " + text[-TAIL:]
    s = "".join(map(_fold, text))
    n = len(s)
    out = []
    i = 0
    while i < n:
        c = s[i]
        if _letter(c):
            # a link
            if c in "hw" and (s.startswith("http://", i) or s.startswith("https://", i) or s.startswith("www.", i)):
                while i < n and not s[i].isspace():
                    i += 1
                out.append("url")
                continue
            # digits first: "20e" and "20balles" split, "k1ll" does not
            if _digit(c):
                j = i
                while j < n and _digit(s[j]):
                    j += 1
                out.append(_finish(s[i:j]))
                i = j
                continue
            word = []
            leet = False
            while i < n:
                c = s[i]
                if _is_alpha(c):
                    word.append(c)
                    i += 1
                elif c in LEET and (j := _inside(s, i)):
                    word.extend(LEET[d] for d in s[i:j])
                    leet = True
                    i = j
                elif c in ENDING and (leet or len(word) >= 3) and (j := _tail(s, i)):
                    word.extend(LEET[d] for d in s[i:j])
                    i = j
                elif c == "*" and (j := _stars(s, i)):
                    word.append("*" * min(j - i, 2))
                    i = j
                elif c == "'" and i + 1 < n and _is_alpha(s[i + 1]):
                    i += 1
                    if (len(word) == 1 and word[0] != "i") or "".join(word) in ELISIONS:
                        break
                else:
                    break
            out.append(_finish("".join(word)))
            continue
        if c == "@":
            i += 1
            if i < n and (_letter(s[i]) or s[i] == "_"):
                while i < n and (_letter(s[i]) or s[i] == "_"):
                    i += 1
            _push_sign(out, "@")
            continue
        if c == ":" and i + 1 < n and "a" <= s[i + 1] <= "z":
            j = i + 1
            while j < n and j - i <= 40 and (("a" <= s[j] <= "z") or _digit(s[j]) or s[j] in "_-+"):
                j += 1
            if j < n and s[j] == ":" and j - i > 2:
                _push_sign(out, s[i : j + 1])
                i = j + 1
                continue
            i += 1
            continue
        if c in SIGNS:
            _push_sign(out, c)
        elif _emoji(ord(c)):
            _push_sign(out, c)
        i += 1
    return _join_spelled(out)


def _inside(s, i):
    """Where one or two characters end that read as letters and a letter follows, or 0."""
    for j in (i + 1, i + 2):
        if j < len(s) and _is_alpha(s[j]):
            return j
        if j == len(s) or s[j] not in LEET:
            return 0
    return 0


def _tail(s, i):
    """Where one or two digits end that close a word, or 0."""
    j = i + 2 if i + 1 < len(s) and s[i + 1] in ENDING else i + 1
    return 0 if j < len(s) and (_letter(s[j]) or s[j] in PRICED) else j


def _stars(s, i):
    """Where stars end that a letter follows, or 0."""
    j = i
    while j < len(s) and s[j] == "*":
        j += 1
    return j if j < len(s) and _is_alpha(s[j]) else 0


def _push_sign(out, sign):
    if not out or out[-1] != sign:
        out.append(sign)


def _join_spelled(tok):
    """Three or more single letters in a row are one word: "k y s"."""
    out = []
    i = 0
    while i < len(tok):
        j = i
        while j < len(tok) and len(tok[j]) == 1 and _is_alpha(tok[j]):
            j += 1
        if j - i >= 3:
            out.append(_finish("".join(tok[i:j])))
            i = j
        else:
            if j == i:
                j = i + 1
            out.extend(tok[i:j])
            i = j
    return out


def normalise(text):
    return " ".join(tokens(text))


_OFFSET = 0x811C9DC5
_PRIME = 0x01000193
_M = 0xFFFFFFFF


def _fnv(h, data):
    for b in data:
        h = ((h ^ b) * _PRIME) & _M
    return h


def _mix(h):
    h ^= h >> 16
    h = (h * 0x85EBCA6B) & _M
    h ^= h >> 13
    h = (h * 0xC2B2AE35) & _M
    return h ^ (h >> 16)


_W = _fnv(_OFFSET, b"w")
_B = _fnv(_OFFSET, b"b")
_C = _fnv(_OFFSET, b"c")

_word_cache = {}
_gram_cache = {}
_pair_cache = {}


def _has_grams(word):
    return len(word) >= 2 and _is_alpha(word[0])


def _grams(word):
    """Mixed hashes of the character 3- to 5-grams of `<word>`, in order of their first character."""
    got = _gram_cache.get(word)
    if got is None:
        chars = "<" + word + ">"
        got = []
        for i in range(len(chars)):
            h = _C
            for j in range(i, min(i + 5, len(chars))):
                h = _fnv(h, chars[j].encode())
                if j - i >= 2:
                    got.append(_mix(h))
        if len(_gram_cache) > 2_000_000:
            _gram_cache.clear()
        _gram_cache[word] = got
    return got


def _word(word):
    got = _word_cache.get(word)
    if got is None:
        got = _mix(_fnv(_W, word.encode()))
        _word_cache[word] = got
    return got


def _pair(a, b):
    got = _pair_cache.get((a, b))
    if got is None:
        got = _mix(_fnv(_B, (a + " " + b).encode()))
        if len(_pair_cache) > 3_000_000:
            _pair_cache.clear()
        _pair_cache[(a, b)] = got
    return got


def features_of_tokens(tok, buckets, limit):
    words = buckets // 3
    grams = buckets - words
    raw = 8 * limit
    first = []
    if tok:
        prev = "^"
        for t in tok:
            if len(first) + 2 > raw:
                break
            first.append(1 + _word(t) % (words - 1))
            first.append(words + _pair(prev, t) % grams)
            prev = t
        first.append(words + _pair(prev, "~") % grams)
    first = sorted(set(first))[:limit]
    seen = set(first)
    rest = []
    for t in tok:
        if len(rest) >= raw:
            break
        if _has_grams(t):
            rest.extend(words + g % grams for g in _grams(t))
    return first + sorted(set(rest) - seen)[: limit - len(first)]


def features(text, buckets=196608, limit=512):
    """Ids 1..buckets-1 of the text's n-grams, at most `limit`; an empty list where nothing is left of the text."""
    return features_of_tokens(tokens(text), buckets, limit)
