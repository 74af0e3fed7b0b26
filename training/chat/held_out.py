"""Writes the messages of held-out authors for `vigie eval chat`: as written, by language, of the strangers alone, and hidden in each of ten ways.

    python training/chat/held_out.py OUT
    for file in OUT/*.tsv; do vigie eval chat "$file"; done
"""

import csv
import sys
from pathlib import Path

import evasions
import hand


def write(path, rows, texts):
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, delimiter="\t")
        table.writerow(["labels", "paid", "setting", "text"])
        table.writerows([",".join(r["labels"]) or "-", int(r["paid"]), r["setting"], text] for r, text in zip(rows, texts, strict=True))
    print(path, len(rows))


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    rows = [r for r in hand.messages() if r["split"] == "test"]
    parts = {"all": rows, "fr": [r for r in rows if r["lang"] == "fr"], "en": [r for r in rows if r["lang"] == "en"],
             "strangers": [r for r in rows if "_q_test_" in r["family"]]}
    for name, part in parts.items():
        write(out / f"{name}.tsv", part, [r["text"] for r in part])
    for k, name in enumerate(evasions.EVASIONS, 1):
        write(out / f"hidden-{k:02}.tsv", rows, evasions.hide(name, [r["text"] for r in rows]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
