"""Holds `signals.py` against the Rust code: writes stories as the journal has them, asks `examples/signals.rs`, tells the largest
difference. Usage: `python training/escalation/parity.py [stories a family]`, after `cargo build --example signals`."""

import base64
import datetime
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import stories
import unseen
from signals import COLUMNS, signals

ROOT = Path(__file__).resolve().parents[2]


def when(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(ms) % 1000:03d}Z"


def words(n):
    """A text of its own for each number, in letters."""
    n, out = int(n), "x"
    while n > 0:
        out, n = out + chr(97 + n % 26), n // 26
    return out


def lines(story, channel, q):
    """The story as journal lines, each with its time, and the questions."""
    h, out = story.history(), []
    entry = lambda at, **fuel: (int(at), 0, {"channel": channel, "at": when(at), **fuel})
    event = lambda at, i, kind, **more: {"type": kind, "id": i, "at": when(at), "channel": channel, **more}
    out.append(entry(h.started, t="event", stamp={}, event=event(h.started, "s", "stream", state="live", started_at=when(h.started))))
    for i in range(len(h.m_t)):
        t, user = h.m_t[i], {"user": (int(h.m_user[i]) & (2**64 - 1)).to_bytes(8, "little").hex() + "00" * 8}
        text = words(i if h.m_text is None else h.m_text[i])
        scores = [float(x) for x in h.m_scores[i]]
        if h.m_paid[i]:
            eur = f"{h.m_eur[i]:.2f}"
            what = event(t, f"m{i}", "donation", amount={"value": eur, "currency": "EUR", "eur": eur}, source="tip", text=text, **user)
        else:
            what = event(t, f"m{i}", "chat", text=text, **user)
        out.append(entry(t, t="event", stamp={}, event=what, scores=scores))
    for i in range(len(h.l_t)):
        thumb = base64.b64encode(bytes([int(h.l_level[i])]) * 144).decode()
        shown = i if h.l_same is None else int(np.cumsum(~h.l_same)[i])
        frame = {"digest": "sha256:" + hashlib.sha256(str(shown).encode()).hexdigest(), "at": when(h.l_t[i])}
        look = {"id": f"L{i}", "frames": [frame], "scores": [float(h.l_violence[i])], "motion": float(h.l_motion[i]), "thumb": thumb}
        out.append(entry(h.l_t[i], t="look", look=look))
    for i, t in enumerate(h.notices):
        out.append(entry(t, t="event", stamp={}, event=event(t, f"n{i}", "notice", text="x")))
    for i, t in enumerate(h.measures):
        out.append(entry(t, t="event", stamp={}, event=event(t, f"a{i}", "moderation", scope="channel", action="suspend")))
    out += [(int(t), 1, {"ask": channel, "at": when(t)}) for t in q]
    out.sort(key=lambda x: x[:2])
    return [json.dumps(x[2]) for x in out]


def main(each=5):
    binary = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/examples/signals"
    worst, told, count = np.zeros(len(COLUMNS)), [], 0
    for world, family in [(w, f) for w in (stories, unseen) for f in w.FAMILIES]:
        for seed in range(each):
            story = world.tell(family, 900_000 + seed)
            h = story.history()
            rng = np.random.default_rng(seed)
            # Only times after the stream's start: before it, the hours live have no value.
            q = np.sort(rng.integers(h.started + 1, story.now, 12))
            text = "\n".join(lines(story, f"k:{family}{seed}", q)) + "\n"
            done = subprocess.run([binary], input=text.encode(), capture_output=True, check=True)
            rust = [json.loads(line) for line in done.stdout.splitlines()]
            rust = np.array([[row.get(name, 0.0) for name in COLUMNS] for row in rust])
            ours = signals(h, q)
            gap = (np.abs(rust - ours) / np.maximum(1.0, np.abs(rust))).max(0)
            if gap.max() > 1e-3:
                told.append((family, seed, COLUMNS[int(gap.argmax())], float(gap.max())))
            worst, count = np.maximum(worst, gap), count + 1
    for item in told[:10]:
        print("differs:", *item)
    print(f"{count} stories, {12 * count} moments, largest difference {worst.max():.2e} of max(1, value) ({COLUMNS[int(worst.argmax())]})")
    return float(worst.max()), count


if __name__ == "__main__":
    sys.exit(main(*[int(a) for a in sys.argv[1:]])[0] > 1e-3)
