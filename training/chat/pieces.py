"""What the second stage sees of a message: the normalised tokens of `text.py` as numbers of pieces.

A token that is in the vocabulary is one piece. Another word is cut: the longest piece that begins it, then the longest `##` pieces that
go on. What nothing fits is `1`; 0 is padding; 2, the first line of the vocabulary, opens every message. Of a message of more than `limit`
pieces the opening, the first and the last stand for it. The same rules stand in `src/model/pieces.rs`.
"""

from collections import Counter
from pathlib import Path

import numpy as np

import text

OPEN = "^"
UNKNOWN, FIRST = 1, 2


class Pieces:
    def __init__(self, lines):
        self.lines = lines
        self.number = {piece: FIRST + i for i, piece in enumerate(lines)}
        assert len(self.number) == len(lines) and lines[0] == OPEN
        self.longest = max(len(p) for p in lines)
        self.memo = {}

    @classmethod
    def read(cls, path):
        return cls(Path(path).read_text(encoding="utf-8").splitlines())

    def size(self):
        return FIRST + len(self.lines)

    def of_token(self, token, whole=True):
        if whole:
            got = self.memo.get(token)
            if got is not None:
                return got
        out = self._cut(token, whole)
        if whole:
            if len(self.memo) > 1_000_000:
                self.memo.clear()
            self.memo[token] = out
        return out

    def _cut(self, token, whole):
        if whole:
            number = self.number.get(token)
            if number is not None:
                return [number]
        if not text._has_grams(token):
            return [UNKNOWN]
        out, start = [], 0
        while start < len(token):
            mark = "##" if start else ""
            end = len(token) if whole or start else len(token) - 1
            while end > start:
                number = self.number.get(mark + token[start:end])
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


def vocabulary(token_lists, source, seen=3, emotes=400, log=print):
    """Lines of the vocabulary and their first vectors [2 + lines, width]: of the large encoder's pieces those that the texts or the frequent words use,
    and the texts' own emotes."""
    found = forms(source)
    letters = [c for c in "abcdefghijklmnopqrstuvwxyz"]
    every = Pieces([OPEN] + sorted(found | {c: 0 for c in letters} | {"##" + c: 0 for c in letters}))
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
    lines = sorted((keep | {"url"} | set(letters) | {"##" + c for c in letters}) - {OPEN} - set(signs)) + signs
    log(f"  {len(found)} pieces are left of {len(source.pieces)} once normalised, {len(lines) + 1} are used")

    chosen = lambda line: found.get(line) or found.get(line.removeprefix("##")) or found.get("##" + line)
    table = np.zeros((FIRST + 1 + len(lines), source.width), np.float32)
    table[UNKNOWN], table[FIRST] = source.rows("emb.word", source.width, [source.unknown_piece, source.bos])
    for at, line in enumerate(lines, FIRST + 1):
        parts = chosen(line) or [p for word in text.tokens(line.strip(":").replace("-", " ").replace("_", " ")) for p in (chosen(word) or [])[:1]]
        if not parts:
            table[at] = table[UNKNOWN]
            continue
        share = np.exp(np.array([s for s, _ in parts]) - max(s for s, _ in parts))
        table[at] = share @ source.rows("emb.word", source.width, [n for _, n in parts]) / share.sum()
    return [OPEN] + lines, table
