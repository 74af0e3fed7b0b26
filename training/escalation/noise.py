"""How the chat model errs on ordinary public chats: what the stories' noise is drawn from.

    VIGIE_DATA=../shared/data python training/escalation/noise.py     # after `cargo build`; rewrites noise.json

Only the first 70 % of each chat by time are read (the rest is kept for measuring), through `vigie score chat`. Nearly every
message of these chats is harmless, so a danger label at .5 or more is taken as an error. Kept are rates and quantiles, no
words: for each chat and label hits per message, the scores of the hits, how hits cluster (variance of counts a minute over their mean),
and which labels hit together. For kinds of talk that no public chat holds (harmful words, and the harmless ones that sound like them): the same
on those patterns of `training/chat/corpus` that the chat model was not taught. The chat model was taught on 60 % of the two live chats and the frequent ones, so its rates there
are too low; the 10 % after that (`dev`, where its decision points were set) stand apart.
"""

import csv
import gzip
import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "training/chat"))

import corpus
from signals import LABELS

DATA = Path(os.environ.get("VIGIE_DATA", ROOT / "../shared/data"))
OUT = Path(__file__).parent / "noise.json"
CHATS = [  # file, column of the words, of the time, of the setting
    ("youtube_live_irl_stream.csv", "message", "published_at", None),
    ("youtube_live_news.csv", "message", "published_at", None),
    ("normvio_twitch_context_en.csv.gz", "text", None, "category"),
    ("gametox_world_of_tanks.csv", "text", None, "game"),
    ("twitch_es_en_2023.csv", "text", None, None),
    ("twitch_emotes_sentiment.csv", "message", "date", None),
]

KINDS = {  # families of the corpus by what they are
    "request": r"inc\.", "urging": r"shu\.", "cry": r"dis\.", "last_words": r"sh\.", "menace": r"thr\.", "insult": r"har\.|abuse\.",
    "game": r"near\.(jeu|game)", "sport": r"near\.sport", "idiom": r"near\.(idiome|idiom|negation)", "prevention": r"near\.prevention",
    "news": r"near\.(actu|news)", "dare": r"near\.(verbes|verbs|don|dono|plat|dish)", "hot_food": r"near\.(piment|hot)",
}


def score(rows):
    binary = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/vigie"
    text = "\n".join(json.dumps(row) for row in rows) + "\n"
    done = subprocess.run([binary, "score", "chat", "-"], input=text.encode(), capture_output=True, check=True, cwd=ROOT)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return np.array([[row["scores"].get(label, 0.0) for label in LABELS] for row in said], np.float32), said[0]["model"]


def told(p, t=None):
    hit = p >= 0.5
    out = {}
    for k, label in enumerate(LABELS):
        n = int(hit[:, k].sum())
        e = {"hits": n, "of": len(p)}
        if n:
            e["scores"] = [round(float(v), 3) for v in np.quantile(p[hit[:, k], k], [0.1, 0.5, 0.9])]
            e["with"] = {LABELS[j]: round(float(hit[hit[:, k], j].mean()), 2) for j in range(8) if j != k and hit[hit[:, k], j].any()}
        if n >= 5 and t is not None:
            counts = np.bincount(((t - t[0]) // 60_000).astype(int)[hit[:, k]], minlength=int((t[-1] - t[0]) // 60_000) + 1)
            e["clustering"] = round(float(counts.var() / counts.mean()), 2)
        out[label] = e
    return out


def main():
    out = {}
    for name, words, when, category in CHATS:
        path = DATA / "chat" / name
        opened = gzip.open(path, "rt", encoding="utf-8", newline="") if name.endswith(".gz") else path.open(encoding="utf-8", newline="")
        with opened as f:
            rows = [r for r in csv.DictReader(f) if r[words]]
        if name.startswith("gametox"):
            rows = [r for r in rows if r["label"] == "0"]  # what people called harmless
        t = None
        if when:
            t = np.array([datetime.fromisoformat(r[when]).timestamp() * 1000 for r in rows])
            order = np.argsort(t, kind="stable")
            rows, t = [rows[i] for i in order], t[order]
        rows = rows[: int(0.7 * len(rows))]
        ask = [{"text": r[words], **({"category": r[category]} if category and r.get(category) else {})} for r in rows]
        p, model = score(ask)
        live = name.startswith("youtube")
        part = {"all": slice(None)} if not live else {"taught": slice(0, int(len(p) * 6 / 7)), "dev": slice(int(len(p) * 6 / 7), None)}
        for key, which in part.items():
            out[f"{name.split('.')[0]}/{key}"] = told(p[which], t[: len(p)][which] if live else None)
        print(name, model, {label: round(1e3 * float((p[:, k] >= 0.5).mean()), 2) for k, label in enumerate(LABELS)})
    written = [m for m in corpus.messages() if m["split"] in ("pattern", "dev")]
    p, _ = score([{"text": m["text"], "paid": m["paid"]} for m in written])
    kinds = {}
    for kind, families in KINDS.items():
        which = np.array([bool(re.match(rf"..\.({families})", m["family"])) for m in written])
        kinds[kind] = {"of": int(which.sum()), "share": {k: round(float(v), 4) for k, v in zip(LABELS, (p[which] >= 0.5).mean(0))}}
        print(kind, kinds[kind])
    OUT.write_text(json.dumps({"model": model, "chats": out, "kinds": kinds}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
