"""Messages written one by one for this model, each by one of many imagined authors: reads `corpus/hand/*.tsv`.

A file opens with `# author: …` lines; each line below is `labels<TAB>paid<TAB>setting<TAB>text`: labels as in the contract, separated by
commas or spaces, `x?` doubtful, `-` none; paid 1, 0, yes, no; setting one of the five. A line may name its own author by `# author:`
above it. Files with `_test_` in their name are held out: never trained or tuned on; those with `_dev_` serve for calibration.
"""

import re
from pathlib import Path

from corpus import LABELS

FOLDER = Path(__file__).parent / "corpus/hand"
SETTINGS = ("real", "game", "sport", "fiction", "unknown")
YES, NO = {"1", "yes", "true", "oui", "paid"}, {"0", "no", "false", "non", "-", ""}


class Bad(ValueError):
    pass


def labels_of(cell, where):
    words = [w for w in re.split(r"[,\s]+", cell.strip()) if w and w not in ("-", "none")]
    for w in words:
        if w.removesuffix("?") not in LABELS:
            raise Bad(f"{where}: `{w}` is no label; {', '.join(LABELS)}, each perhaps with `?`, or `-`")
    return words


def messages():
    """Rows {text, labels, paid, setting, lang, author, family, split}; errors name file and line."""
    rows, held = [], set()
    for path in sorted(FOLDER.glob("*.tsv")):
        split = "test" if "_test_" in path.name else "dev" if "_dev_" in path.name else "train"
        lang = "fr" if re.search(r"(^|_)fr(_|\.)", path.name) else "en"
        author = path.stem
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            where = f"{path.name}:{n}"
            if not line.strip():
                continue
            if line.startswith("#"):
                found = re.match(r"#\s*author:\s*(.+)", line)
                if found:
                    author = f"{path.stem}: {found.group(1).strip()[:60]}"
                continue
            cells = line.split("\t")
            if cells[0] == "labels":
                continue
            if len(cells) != 4:
                raise Bad(f"{where}: {len(cells)} columns; labels, paid, setting, text, separated by tabs, are wanted")
            words, paid, setting, text = labels_of(cells[0], where), cells[1].strip().lower(), cells[2].strip(), cells[3].strip()
            if paid not in YES | NO:
                raise Bad(f"{where}: paid is `{paid}`; 1 or 0 is wanted")
            if setting not in SETTINGS:
                raise Bad(f"{where}: setting is `{setting}`; one of {', '.join(SETTINGS)} is wanted")
            if not text:
                raise Bad(f"{where}: no text")
            if split == "test":
                held.add(text.casefold())
            rows.append({"text": text, "labels": words, "paid": paid in YES, "setting": setting, "lang": lang, "author": author,
                         "family": path.stem, "split": split})
    # A text that a held-out author also wrote is nobody's to train on.
    return [r for r in rows if r["split"] == "test" or r["text"].casefold() not in held]


def pairs():
    """Rows {kind, lang, setting, text} of `corpus/pairs.tsv`: for measuring alone."""
    lines = [line.split("\t") for line in (FOLDER.parent / "pairs.tsv").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[1:]]


if __name__ == "__main__":
    from collections import Counter

    rows = messages()
    print(len(rows), Counter((r["lang"], r["split"]) for r in rows), len({r["author"] for r in rows}), "authors")
    for lang in ("fr", "en"):
        for label in LABELS:
            print(lang, label, dict(Counter(r["split"] for r in rows if r["lang"] == lang and label in r["labels"])))
        print(lang, "none", dict(Counter(r["split"] for r in rows if r["lang"] == lang and not r["labels"])))
