"""What the further stages see of a message: the normalised tokens of `text.py` as numbers of pieces.

A token that is in the vocabulary is one piece. Another that it does not know as a word either (lines that open with `=`, last) is mended where a known word is near: a star for a letter, two letters swapped, one doubled
or missing its double, one hit beside on the keyboard; of several the one that stands first, and so is the most frequent. What is left is cut: the longest
piece that begins the word, then the longest `##` pieces that go on. What nothing fits is `1`; 0 is padding; 2, the first line of the vocabulary, opens every message. Of a message of more than `limit`
pieces the opening, the first and the last stand for it. The same rules stand in `src/model/pieces.rs`.
"""

from collections import Counter
from pathlib import Path

import numpy as np

import text

OPEN = "^"
KNOWN = "="
UNKNOWN, FIRST = 1, 2
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn", "aq", "zw")
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
# The keys at either side, on either keyboard, and those that change places between them.
BESIDE = {c: sorted({row[k + d] for row in ROWS for k in range(len(row)) for d in (-1, 1) if row[k] == c and 0 <= k + d < len(row)}) for c in ALPHABET}


class Pieces:
    def __init__(self, lines, mend=True):
        self.lines, self.mend = lines, mend
        # Of pieces and then of words that are known besides.
        self.place = {line.removeprefix(KNOWN) or line: FIRST + i for i, line in enumerate(lines)}
        self.end = FIRST + sum(1 for line in lines if line == KNOWN or line[0] != KNOWN)
        assert len(self.place) == len(lines) and lines[0] == OPEN
        self.memo = {}

    @classmethod
    def read(cls, path):
        return cls(Path(path).read_text(encoding="utf-8").splitlines())

    def number(self, piece):
        at = self.place.get(piece)
        return at if at is not None and at < self.end else None

    def numbers(self):
        return {piece: at for piece, at in self.place.items() if at < self.end}

    def of_token(self, token, whole=True):
        if whole:
            got = self.memo.get(token)
            if got is not None:
                return got
        out = self._read(token) if whole else self._cut(token, False)
        if whole:
            if len(self.memo) > 1_000_000:
                self.memo.clear()
            self.memo[token] = out
        return out

    def _read(self, token):
        at = self.place.get(token)
        if at is None and self.mend and text._has_grams(token):
            token = self.mended(token) or token
            at = self.place.get(token)
        return [at] if at is not None and at < self.end else self._cut(token, True)

    def _cut(self, token, whole):
        if not text._has_grams(token):
            number = self.number(token)
            return [UNKNOWN if number is None else number]
        out, start = [], 0
        while start < len(token):
            mark = "##" if start else ""
            end = len(token) if whole or start else len(token) - 1
            while end > start:
                number = self.number(mark + token[start:end])
                if number is not None:
                    break
                end -= 1
            if end == start:
                if not out or out[-1] != UNKNOWN:
                    out.append(UNKNOWN)
                start += 1
            else:
                out.append(number)
                start = end
        return out

    def mended(self, token):
        """The known word that a misspelt one stands for, or None; the first letter is taken as right."""
        n = len(token)
        if "*" in token:
            at = token.index("*")
            return self._first(token[:at] + c + token[at + 1 :] for c in ALPHABET) if n >= 3 and token.count("*") == 1 else None
        if n < 4:
            return None
        got = self._first(token[:i] + token[i + 1] + token[i] + token[i + 2 :] for i in range(1, n - 1))
        got = got or self._first([token[:i] + token[i] + token[i:] for i in range(1, n)] + [token[:i] + token[i + 1 :] for i in range(1, n) if token[i] == token[i - 1]])
        return got or self._first(token[:i] + c + token[i + 1 :] for i in range(1, n) for c in BESIDE.get(token[i], ()))

    def _first(self, words):
        return min((w for w in words if w in self.place), key=self.place.get, default=None)

    def of(self, tokens, limit, rng=None, apart=0.0):
        """Numbers of a message's pieces, at most `limit`; with `rng`, whole words are cut with the chance `apart`, as in training."""
        out = [FIRST]
        for t in tokens:
            whole = rng is None or len(t) < 4 or rng.random() >= apart
            out.extend(self.of_token(t, whole))
        if len(out) > limit:
            half = limit // 2
            out = out[:half] + out[-(limit - half) :]
        return out


def frequent(languages=("fr", "en"), top=40000):
    """Normalised frequent words of both languages."""
    import wordfreq

    found = set()
    for lang in languages:
        for raw in wordfreq.top_n_list(lang, top):
            tok = text.tokens(raw)
            if len(tok) == 1 and text._has_grams(tok[0]):
                found.add(tok[0])
    return sorted(found)


def usual(word):
    """How often a word would come in as many texts as ours, by its frequency in either language: for ranking."""
    import wordfreq

    return 1e6 * max(wordfreq.word_frequency(word, "fr"), wordfreq.word_frequency(word, "en"))


def forms(source):
    """Line -> [(log-probability, number)] of the large encoder's pieces that are it once normalised: `tue` of `▁tue`, `▁tué`, `▁Tue`."""
    found = {}
    for number, (piece, score) in enumerate(source.pieces[4:], 4):
        raw = piece.removeprefix("\u2581")
        tok = text.tokens(raw)
        if len(tok) != 1 or tok[0] == "url":
            continue
        word = text._has_grams(tok[0]) or (len(tok[0]) == 1 and text._is_alpha(tok[0]))
        if word and sum(text._is_alpha(c) for c in "".join(map(text._fold, raw))) != len("".join(map(text._fold, raw))):
            continue
        line = tok[0] if not word or raw != piece else "##" + tok[0]
        found.setdefault(line, []).append((score, number))
    return found


def vocabulary(token_lists, source, seen=3, own=25, known=8, emotes=400, log=print):
    """Lines of the vocabulary, whole words by how frequent they are, their first vectors [2 + lines, width], and which words are the texts' own: of the large encoder's pieces those that the
    texts or the frequent words use, the texts' own emotes, and their words in `own` messages or more, which begin as the mean of what they would be cut into. Last, without a vector,
    the words that are cut but not mended: frequent ones, and the texts' own in `known` messages or more."""
    found = forms(source)
    letters = [c for c in "abcdefghijklmnopqrstuvwxyz"]
    every = Pieces([OPEN] + sorted(found | {c: 0 for c in letters} | {"##" + c: 0 for c in letters}), mend=False)
    count = Counter(t for tok in token_lists for t in set(tok))
    used = Counter()
    for t, n in count.items():
        for number in set(every.of_token(t)):
            used[number] += n
    for word in frequent():
        for number in set(every.of_token(word)):
            used[number] += seen
    signs = [t for t, n in count.most_common() if n >= seen and not text._is_alpha(t[0]) and t not in found and t[0] == ":"][:emotes]
    keep = {every.lines[number - FIRST] for number, n in used.items() if n >= seen and number >= FIRST}
    words = {t for t, n in count.items() if n >= own and len(t) >= 3 and text._has_grams(t) and t not in keep}
    rank = lambda line: (-(count[line] + usual(line)), line)
    parts = (keep | {"url"} | set(letters) | {"##" + c for c in letters}) - {OPEN} - set(signs)
    lines = sorted({line for line in parts if not line.startswith("##")} | words, key=rank) + sorted(line for line in parts if line.startswith("##")) + signs
    log(f"  {len(found)} pieces are left of {len(source.pieces)} once normalised, {len(lines) + 1} are used, {len(words)} words of the texts' own among them")

    chosen = lambda line: found.get(line) or found.get(line.removeprefix("##")) or found.get("##" + line)
    cut = {word: [every.lines[number - FIRST] for number in every._cut(word, False) if number >= FIRST] for word in words}
    table = np.zeros((FIRST + 1 + len(lines), source.width), np.float32)
    table[UNKNOWN], table[FIRST] = source.rows("emb.word", source.width, [source.unknown_piece, source.bos])
    for at, line in enumerate(lines, FIRST + 1):
        if line in words and line not in found:
            continue
        parts = chosen(line) or [p for word in text.tokens(line.strip(":").replace("-", " ").replace("_", " ")) for p in (chosen(word) or [])[:1]]
        if not parts:
            table[at] = table[UNKNOWN]
            continue
        share = np.exp(np.array([s for s, _ in parts]) - max(s for s, _ in parts))
        table[at] = share @ source.rows("emb.word", source.width, [n for _, n in parts]) / share.sum()
    number = {line: at for at, line in enumerate(lines, FIRST + 1)}
    for word, got in cut.items():
        if word not in found:
            table[number[word]] = np.mean([table[number.get(part, UNKNOWN)] for part in got] or [table[UNKNOWN]], 0)
    real = {t for t, n in count.items() if n >= known and len(t) >= 3} | set(frequent())
    real = sorted((t for t in real if t not in number and text._has_grams(t) and "*" not in t), key=rank)
    return [OPEN] + lines + [KNOWN + t for t in real], table, words - set(found)
