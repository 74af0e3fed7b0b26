"""Composes recordings (wire format version 1, JSON Lines) from the data folder, for tests that need real input.

In: the data folder (`--data`, else `VIGIE_DATA`, else `../shared/data` beside the checkout). Out: in `--out`, pairs of
recordings that differ in one thing; which of a pair must be silent stands in RECORDINGS. The same seed and data give
the same bytes. Nothing written here belongs in the repository: it holds other people's words and pictures.

    python tests/recordings/compose.py --out DIR [--data DIR] [--only NAME]
"""

import argparse
import csv
import json
import os
import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import texts
import wire

SEED = 18
CHECKOUT = Path(__file__).resolve().parents[2]
# Source videos that the frame model never trains on (training/frame/sets.py, RESERVED): looks are cut from these.
FIGHT_SOURCES = {"source-22", "source-31", "source-48", "source-59", "source-67"}
FIGHTS_MIXED = ["rlvs_V_21"]
CALM = ["face_d12", "face_d19", "two_men_laptop"]

seconds = lambda value: timedelta(milliseconds=round(value * 1000))


def real_chat(data, name):
    """(time, author, text) of a real live chat, by time."""
    with open(data / f"chat/youtube_live_{name}.csv", newline="") as file:
        rows = [(datetime.fromisoformat(r["published_at"]), r["author"], r["message"]) for r in csv.DictReader(file)]
    return sorted((r for r in rows if r[2].strip()), key=lambda row: row[0])


def tail_start(rows):
    """Where the last 30 % begin: by the clock and by the count, whichever is later."""
    by_clock = rows[0][0] + (rows[-1][0] - rows[0][0]) * 0.7
    return max(by_clock, rows[int(len(rows) * 0.7)][0])


def acts_and_distress(rng, channel, begin, currency, minutes):
    """What makes a twin raise: paid requests for acts for half of the time, then the distress of several voices."""
    events, half = [], minutes * 30
    asking = rng.sample(texts.ASKING, 10)
    for k, text in enumerate(asking):
        at = begin + seconds(half * k / len(asking) + rng.uniform(0, half / len(asking)))
        cents = rng.choice([500, 1000, 2000, 2500, 5000])
        events.append(wire.donation(channel, f"twin-d{k}", at, f"twin payer {k % 6}", cents, currency, text))
    for k in range(24):
        at = begin + seconds(half + half * k / 24 + rng.uniform(0, half / 24))
        text = texts.DISTRESS[(k * 5) % len(texts.DISTRESS)]
        events.append(wire.chat(channel, f"twin-c{k}", at, f"twin onlooker {k % 15}", text))
    return events


def money(data, violent):
    """Twelve minutes of an IRL channel: donations, each followed by a look; violent acts asked for, or neither."""
    channel, rng, length = "sim:v1", random.Random(SEED), 720.0
    began = datetime(2026, 3, 7, 20, 0, tzinfo=timezone.utc)
    rows = real_chat(data, "irl_stream")
    rows = [r for r in rows if r[0] < tail_start(rows) and (r[0] - rows[0][0]).total_seconds() < length]
    events = [wire.stream(channel, began, "IRL, on est ensemble", "Just Chatting", "en", 4200)]
    for n, (at, author, text) in enumerate(rows[::4]):
        events.append(wire.chat(channel, f"c{n}", began + (at - rows[0][0]), author, text))
    with open(data / "fight_clips/sources.csv", newline="") as file:
        fights = [r["clip"] for r in csv.DictReader(file) if r["source_video"] in FIGHT_SOURCES and r["clip"].startswith("fi")]
    fights = [data / f"fight_clips/fight/{c}.mp4" for c in sorted(fights)]
    fights += [data / f"fight_clips_mixed/violence/{c}.mp4" for c in FIGHTS_MIXED]
    rng.shuffle(fights)
    calm = [wire.clip(data / f"webcam_calm/{c}.mp4") for c in CALM]
    asked = list(range(len(texts.ASKING)))
    rng.shuffle(asked)
    acts, at = [], 75.0
    while at < length - 60 and asked:
        acts.append((at, at + rng.uniform(5, 35), asked.pop()))
        at += rng.uniform(28, 42)
    for n, (paid, act, which) in enumerate(acts):
        cents = rng.choice([500, 1000, 1500, 2000, 3000, 5000])
        text = (texts.ASKING if violent else texts.FRIENDLY)[which]
        events.append(wire.donation(channel, f"d{n}", began + seconds(paid), f"payer {n % 7}", cents, "EUR", text))
        start = rng.random()
        source = wire.clip(fights[n % len(fights)]) if violent else calm[n % len(calm)]
        times = [began + seconds(act + wire.STEP * k) for k in range(wire.FRAMES)]
        events += wire.look(channel, f"A{n}", times, wire.look_pictures(source, start))
    for n in range(int(length / 20)):
        at, start = 5 + 20 * n, rng.random()
        if any(abs(at - act) < 4 for _, act, _ in acts):
            continue
        times = [began + seconds(at + wire.STEP * k) for k in range(wire.FRAMES)]
        events += wire.look(channel, f"C{n}", times, wire.look_pictures(calm[n % len(calm)], start))
    return events


def split(rng, cents, count):
    """`count` amounts of at least one cent whose sum is `cents`: many small, few large."""
    shares = [rng.lognormvariate(0, 1.1) for _ in range(count)]
    whole, free = sum(shares), cents - count
    parts = [1 + int(free * share / whole) for share in shares]
    parts[parts.index(max(parts))] += cents - sum(parts)
    return parts


def marathon(data, twin):
    """One charity marathon of a week. Each minute brings as many donations, and as much money, as it did.

    A minute that has money but no donation, or donations but no money (a correction), is carried to the next.
    """
    event, channel, rng = "sgdq_final_2018", "sim:marathon", random.Random(SEED + 1)
    with open(data / f"donations/{event}_gdq_timeseries.csv", newline="") as file:
        minutes = sorted(csv.DictReader(file), key=lambda row: row["time"])
    words = json.loads((data / f"donations/{event}_donation_words.json").read_text())
    emotes = json.loads((data / f"donations/{event}_chat_words.json").read_text())
    with open(data / "chat/twitch_emotes_sentiment.csv", newline="") as file:
        said = [row["message"] for row in csv.DictReader(file) if row["message"].strip()]
    with open(data / "chat/twitch_es_en_2023.csv", newline="") as file:
        said += [row["text"] for row in csv.DictReader(file) if row["text"].strip()]
    short = [text for text in said if len(text) <= 60]
    word = lambda k: rng.choices([w["word"] for w in words], [w["entries"] for w in words], k=k)
    emote = lambda k: rng.choices([w["word"] for w in emotes], [w["count"] for w in emotes], k=k)

    def paid_text():
        kind = rng.random()
        if kind < 0.3:
            return ""
        if kind < 0.36:
            return rng.choice(texts.ANIMALS)
        return " ".join(word(rng.randint(2, 9))) if kind < 0.85 else rng.choice(short)

    began = datetime.fromisoformat(minutes[0]["time"] + ":00")
    viewers = int(minutes[0]["num_viewers"] or 0)
    events = [wire.stream(channel, began, "A week of games for charity", "Special Events", "en", viewers)]
    donations = chats = chats_before = kept = 0
    count, cents = 0, 0  # told so far
    for row in minutes:
        at = datetime.fromisoformat(row["time"] + ":00")
        total = round(float(row["total_donations"] or 0) * 100)
        more, sum_more = int(row["num_donations"] or 0) - count, total - cents
        if more > 0 and sum_more >= more:
            count, cents = count + more, cents + sum_more
            for amount in split(rng, sum_more, more):
                when = at + seconds(rng.uniform(0.001, 59.999))
                author = f"donor {rng.randrange(20000)}"
                events.append(wire.donation(channel, f"d{donations}", when, author, amount, "USD", paid_text()))
                donations += 1
        chats_before += int(row["num_chats"] or 0)
        for _ in range(chats_before // 20 - kept):
            text = " ".join(emote(rng.randint(1, 4))) if rng.random() < 0.5 else rng.choice(said)
            when = at + seconds(rng.uniform(0.001, 59.999))
            events.append(wire.chat(channel, f"c{chats}", when, f"viewer {rng.randrange(30000)}", text))
            chats += 1
        kept = chats_before // 20
    if twin:
        events += acts_and_distress(random.Random(SEED + 2), channel, began + timedelta(hours=60), "USD", 6)
    return events


def tail(data, name, twin):
    """The last 30 % by time of a real live chat, with its times; the twin has two bad minutes in its middle."""
    rows = real_chat(data, name)
    rows = [row for row in rows if row[0] >= tail_start(rows)]
    channel = "sim:" + name.split("_")[0]
    title, category = {"irl_stream": ("Walking the city, day 9", "Just Chatting"), "news": ("Live news", "News & Politics")}[name]
    events = [wire.stream(channel, rows[0][0], title, category, "en", 100000 if name == "irl_stream" else 900)]
    events += [wire.chat(channel, f"c{n}", *row) for n, row in enumerate(rows)]
    if twin:
        middle = rows[0][0] + (rows[-1][0] - rows[0][0]) * 0.5
        events += acts_and_distress(random.Random(SEED + 3), channel, middle, "USD", 2)
    return events


# Name -> (what makes it, whether it must stay silent). Pairs stand together.
RECORDINGS = {
    "violence_after_money.jsonl": (lambda data: money(data, True), False),
    "calm_after_money.jsonl": (lambda data: money(data, False), True),
    "marathon_sgdq_2018.jsonl.zst": (lambda data: marathon(data, False), True),
    "marathon_twin.jsonl.zst": (lambda data: marathon(data, True), False),
    "irl_tail.jsonl": (lambda data: tail(data, "irl_stream", False), True),
    "irl_tail_twin.jsonl": (lambda data: tail(data, "irl_stream", True), False),
    "news_tail.jsonl": (lambda data: tail(data, "news", False), True),
    "news_tail_twin.jsonl": (lambda data: tail(data, "news", True), False),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("VIGIE_DATA", CHECKOUT / "../shared/data")))
    parser.add_argument("--only", help=f"one of: {', '.join(name.split('.')[0] for name in RECORDINGS)}")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no data folder at {options.data}: give --data or set VIGIE_DATA")
    chosen = {n: made for n, made in RECORDINGS.items() if options.only in (None, n, n.split(".")[0])}
    if not chosen:
        parser.error(f"no recording is called {options.only}")
    for name, (make, silent) in chosen.items():
        count, size = wire.write(options.out / name, make(options.data))
        print(f"{name}: {count} events, {size / 1e6:.1f} MB, must {'stay silent' if silent else 'raise'}", file=sys.stderr)


if __name__ == "__main__":
    main()
