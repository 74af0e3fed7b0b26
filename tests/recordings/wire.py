"""Small tools of the composer: events of the wire format (version 1), times, users, money, looks, files.

In: Python values. Out: dictionaries that are one line each of a recording, and the recording itself, sorted by time.
"""

import base64
import hashlib
import io
import json
import subprocess
from datetime import timezone
from pathlib import Path

import imageio_ffmpeg
import zstandard
from PIL import Image

FRAMES = 8  # pictures of a look
STEP = 0.25  # seconds between two
WIDTH, QUALITY = 320, 70  # of the JPEG that a platform would send


def stamp(at):
    """RFC 3339 in UTC with milliseconds."""
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def user(name):
    """A user whose id is a hash of the author's name; the name itself is left out."""
    return {"id": "u" + hashlib.sha256(f"recording/{name}".encode()).hexdigest()[:16]}


def stream(channel, at, title, category, language, viewers):
    return {
        "type": "stream", "id": "stream-1", "at": at, "channel": channel, "state": "live", "name": channel.split(":")[1],
        "title": title, "category": category, "language": language, "viewers": viewers, "started_at": stamp(at),
    }  # fmt: skip


def chat(channel, ident, at, author, text):
    return {"type": "chat", "id": ident, "at": at, "channel": channel, "user": user(author), "text": text}


def donation(channel, ident, at, author, cents, currency, text):
    """A donation of `cents` hundredths; without text the field is left out."""
    event = {"type": "donation", "id": ident, "at": at, "channel": channel, "user": user(author)}
    event |= {"amount": {"value": f"{cents // 100}.{cents % 100:02d}", "currency": currency}, "source": "tip"}
    return event | ({"text": text} if text else {})


def clip(path):
    """Pictures of a clip, 1/STEP a second, as JPEG bytes of WIDTH pixels."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", "1", "-i", str(path)]
    # A clip shorter than a look is played at the pace that fills it: some of these are 1.6 s long.
    command += ["-vf", f"fps=20,scale={WIDTH}:-2", "-f", "image2pipe", "-c:v", "ppm", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    pictures, at = [], 0
    while at < len(data):
        head = data[at : at + 32].split(b"\n", 3)
        width, height = (int(v) for v in head[1].split())
        start = at + sum(len(v) + 1 for v in head[:3])
        at = start + width * height * 3
        pictures.append((width, height, data[start:at]))
    return pictures


def look_pictures(pictures, start):
    """JPEG bytes of the 8 pictures of a look that begins `start` (0..1) of the way into what the clip can offer."""
    span = int(STEP * (FRAMES - 1) * 20)
    first = int(start * max(len(pictures) - 1 - span, 0))
    span = min(span, len(pictures) - 1 - first)
    out = []
    for k in range(FRAMES):
        width, height, raw = pictures[first + round(span * k / (FRAMES - 1))]
        data = io.BytesIO()
        Image.frombytes("RGB", (width, height), raw).save(data, "JPEG", quality=QUALITY)
        out.append(data.getvalue())
    return out


def look(channel, ident, times, jpegs):
    """The frame events of one look."""
    return [
        {
            "type": "frame", "id": f"{ident}-{n}", "at": at, "channel": channel, "media": "image/jpeg",
            "look": {"id": ident, "n": n, "of": len(jpegs)}, "data": base64.b64encode(jpeg).decode(),
        }
        for n, (at, jpeg) in enumerate(zip(times, jpegs), 1)
    ]  # fmt: skip


def write(path, events):
    """Writes the events in order of time (then of their making); `.zst` is compressed. Ids must be unique."""
    events = sorted(events, key=lambda event: event["at"])
    names = [(event["channel"], event["id"]) for event in events]
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: two events share an id")
    lines = "".join(json.dumps(e | {"at": stamp(e["at"])}, ensure_ascii=False, separators=(",", ":")) + "\n" for e in events)
    data = lines.encode()
    if path.suffix == ".zst":
        data = zstandard.ZstdCompressor(level=6).compress(data)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return len(events), len(data)
