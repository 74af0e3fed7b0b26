"""Real live chats, scored by the chat model at hand, through signals, rules and the escalation model: how high do they go?

    VIGIE_DATA=../shared/data python training/escalation/real.py      # after `cargo build`

The chats have no pictures and no money; they are run as they are, and beside pictures that the script makes up: one that moves, one that
does not. Tells for each the seconds at each level and which rule decided.
"""

import csv
import hashlib
import os
import sys
from datetime import datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "training")]

import numpy as np
import onnxruntime as ort

import noise
import report
from signals import H, History, S, signals

DATA = Path(os.environ.get("VIGIE_DATA", ROOT / "../shared/data"))


def main():
    session = ort.InferenceSession(str(ROOT / "models/escalation/escalation.onnx"))
    active = report.rules()
    for name in ("youtube_live_irl_stream", "youtube_live_news"):
        rows = list(csv.DictReader((DATA / f"chat/{name}.csv").open(encoding="utf-8", newline="")))
        p, model = noise.score([{"text": r["message"]} for r in rows])
        t = np.array([round(datetime.fromisoformat(r["published_at"]).timestamp() * 1000) for r in rows], np.int64)
        order = np.argsort(t, kind="stable")
        t, p = t[order], p[order]
        user = np.array([int(hashlib.sha256(r["author"].encode()).hexdigest()[:12], 16) for r in rows])[order]
        keep = (p >= 0.5).any(1)
        t0, t1 = t[0], t[-1]
        q = np.arange(t0, t1, S)
        rng = np.random.default_rng(3)
        looks = np.arange(t0, t1, 20 * S)
        for picture in ("none", "moving", "still"):
            n = 0 if picture == "none" else len(looks)
            h = History(
                started=int(t0), m_t=t[keep], m_user=user[keep], m_scores=p[keep], m_paid=np.zeros(keep.sum(), bool), m_eur=np.zeros(keep.sum()),
                l_t=looks[:n], l_violence=np.full(n, 0.1, np.float32), l_motion=np.full(n, 0.003 if picture == "still" else 0.02, np.float32),
                l_level=np.full(n, 90.0) if picture == "still" else rng.integers(0, 255, n).astype(float))
            s = np.concatenate([signals(h, part) for part in np.array_split(q, max(1, len(q) // 300))])
            by_model = report.by_model(session.run(None, {"signals": s})[0])
            by_rule, first = report.by_rules(s, active)
            told = {active[k][0]: int((first == k).sum()) for k in set(first[first >= 0])}
            count = lambda level: np.bincount(level, minlength=5).tolist()
            print(f"{name} ({model}, {len(t)} messages, {(t1 - t0) / H:.2f} h), picture {picture}: seconds at none/watch/concern/danger/life by "
                  f"model {count(by_model)}, by rules {count(by_rule)} {told}")


if __name__ == "__main__":
    main()
