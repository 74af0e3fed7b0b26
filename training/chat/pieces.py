"""What the second stage sees of a message: the normalised tokens of `text.py` as numbers of pieces.

A token that is in the vocabulary is one piece. Another word is cut: the longest piece that begins it, then the longest `##` pieces that
go on. What nothing fits is `1`; 0 is padding; 2, the first line of the vocabulary, opens every message. Of a message of more than `limit`
pieces the opening, the first and the last stand for it. The same rules stand in `src/model/pieces.rs`.
"""

from collections import Counter
from pathlib import Path

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


def forms(languages=("fr", "en"), top=40000):
    """Normalised word -> (frequency, raw form): the frequent words of both languages."""
    import wordfreq

    found = {}
    for lang in languages:
        for raw in wordfreq.top_n_list(lang, top):
            tok = text.tokens(raw)
            if len(tok) != 1 or not text._has_grams(tok[0]):
                continue
            share = wordfreq.word_frequency(raw, lang)
            found.setdefault(tok[0], []).append((share, raw))
    return found


def vocabulary(token_lists, top=40000, seen=3, most_seen=25000, suffixes=3000):
    """Lines of the vocabulary, and raw forms (with shares) of the words that a word list knows."""
    known = forms(top=top)
    count = Counter(t for tok in token_lists for t in set(tok))
    words = set(known)
    for t, n in count.most_common(most_seen):
        if n >= seen and len(t) <= 24:
            words.add(t)
    tails = Counter()
    for w in words:
        if text._has_grams(w):
            for k in range(1, min(6, len(w) - 1)):
                tails["##" + w[-k:]] += 1 + min(count[w], 20)
    letters = sorted({c for w in words if text._has_grams(w) for c in w if "a" <= c <= "z" or c.isdigit()})
    heads = [c for c in letters if c not in words]
    more = ["##" + c for c in letters]
    more += [p for p, _ in tails.most_common(suffixes) if p not in more]
    words.discard(OPEN)
    return [OPEN] + sorted(words) + sorted(heads) + sorted(more), known
