"""A streaming platform, as Vigie's wire format (docs/wire-format.md) sees one: another implementation of the protocol,
written against the `websockets` package and not against Vigie's code. It plays a recording to whoever subscribes.

In: a recording (JSON Lines, also .zst). Out: WebSocket messages; on stdout one JSON object a line telling what happens,
the first one {"port": N}. On stdin, one command a line: `close` (a clean close of all connections), `abort` (the wire
is cut), `hold` and `go` (silence and its end), `stats`, `quit`.

Example:
  python stream_platform.py --recording r.jsonl --token secret --cert cert.pem --key key.pem --speed 10
"""

import argparse
import asyncio
import base64
import datetime
import hmac
import io
import json
import ssl
import struct
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

KINDS = ("chat", "donation", "reward", "frame", "stream", "notice", "moderation")


def tell(**what):
    print(json.dumps(what), flush=True)


def seconds(at):
    """Unix time of an RFC 3339 text; 0 where there is none."""
    try:
        return datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()
    except (AttributeError, ValueError):
        return 0.0


def rfc3339(unix):
    time = datetime.datetime.fromtimestamp(unix, datetime.timezone.utc)
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def read_recording(path):
    """The lines of a recording, in order. A line that is no JSON object is kept as text and sent as it stands."""
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".zst"):
        import zstandard

        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    entries = []
    for line in data.decode("utf-8").splitlines():
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        entries.append(event if isinstance(event, dict) else line)
    return entries


def binary_frame(event):
    """A frame as a binary message: length of the header, big-endian; header; picture."""
    header = json.dumps({k: v for k, v in event.items() if k != "data"}).encode()
    return struct.pack(">I", len(header)) + header + base64.b64decode(event["data"])


class Platform:
    def __init__(self, options):
        self.options = options
        entries = read_recording(options.recording)
        self.on_request = {}
        if options.frames_on_request:
            # Pictures are told only where somebody asks: kept apart, by channel, in order of time.
            for event in [e for e in entries if isinstance(e, dict) and e.get("type") == "frame"]:
                self.on_request.setdefault(event.get("channel"), []).append(event)
            entries = [e for e in entries if not (isinstance(e, dict) and e.get("type") == "frame")]
        self.entries = entries
        # When each entry is due, in seconds from the start, never going back.
        first, last = None, 0.0
        self.due = []
        for entry in entries:
            at = seconds(entry.get("at")) if isinstance(entry, dict) else 0.0
            if at and first is None:
                first = at
            if at:
                last = max(last, at - first)
            self.due.append(last / options.speed if options.speed > 0 else 0.0)
        self.first = first or 0.0
        self.started = None  # loop time of the first subscription
        self.started_unix = 0.0
        self.connections = set()
        self.cuts = sorted(options.close_after)
        self.sent = 0
        self.samples = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.done = False

    # ------------------------------------------------------------------------------------------------- connection

    def check(self, connection, request):
        """Before the handshake: the bearer credential."""
        if self.options.token:
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given, f"Bearer {self.options.token}"):
                tell(refused=401)
                return connection.respond(401, "bearer credential missing or wrong\n")
        return None

    async def handle(self, connection):
        self.connections.add(connection)
        player, samplers = None, {}
        try:
            async for message in connection:
                try:
                    request = json.loads(message)
                    kind = request["type"]
                except (ValueError, KeyError, TypeError):
                    tell(unreadable=str(message)[:200])
                    continue
                if kind == "subscribe":
                    if request.get("version") != 1:
                        await connection.close(1008, "version 1 only")
                        return
                    tell(subscribed=request.get("channels"), kinds=request.get("kinds"), resume=request.get("resume"))
                    start = self.next_for(player)
                    if player:
                        player.cancel()
                    player = asyncio.create_task(self.play(connection, request, start))
                    player.position = start
                elif kind == "sample" and not self.options.ignore_samples:
                    self.samples += 1
                    tell(sample=request)
                    key = (request.get("channel"), request.get("look"))
                    if key in samplers:
                        samplers.pop(key).cancel()
                    # A new request for a channel, or every_ms 0, ends what was asked for before.
                    for other in [k for k in samplers if k[0] == key[0]]:
                        samplers.pop(other).cancel()
                    if request.get("every_ms", 0) > 0:
                        samplers[key] = asyncio.create_task(self.sample(connection, request))
        except ConnectionClosed:
            pass
        finally:
            self.connections.discard(connection)
            for task in [player, *samplers.values()]:
                if task:
                    task.cancel()
            tell(disconnected=True, sent=self.sent)

    @staticmethod
    def next_for(player):
        """Where a second subscription on the same connection goes on; None: by its cursor."""
        return getattr(player, "position", None)

    async def play(self, connection, request, start):
        loop = asyncio.get_running_loop()
        if self.started is None:
            self.started, self.started_unix = loop.time(), datetime.datetime.now().timestamp()
        channels, kinds = request.get("channels", ["*"]), request.get("kinds", KINDS)
        task = asyncio.current_task()
        if start is None:
            start = await self.resume(connection, request.get("resume"))
        await connection.send(json.dumps({"type": "cursor", "value": str(start)}))
        try:
            for index in range(start, len(self.entries)):
                entry = self.entries[index]
                wait = self.started + self.due[index] - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                await self.gate.wait()
                task.position = index
                if isinstance(entry, str):
                    await connection.send(entry)
                else:
                    wanted = "*" in channels or entry.get("channel") in channels or "channel" not in entry
                    if not wanted or (entry.get("type") in KINDS and entry["type"] not in kinds):
                        continue
                    await self.send(connection, entry, index)
                self.sent += 1
                task.position = index + 1
                if (index + 1) % self.options.cursor_every == 0:
                    await connection.send(json.dumps({"type": "cursor", "value": str(index + 1)}))
                if self.cuts and self.sent >= self.cuts[0]:
                    self.cuts.pop(0)
                    tell(cut=self.sent)
                    self.abort(connection) if self.options.cut == "abort" else await connection.close(1012, "restart")
                    return
            await connection.send(json.dumps({"type": "cursor", "value": str(len(self.entries))}))
            self.done = True
            tell(done=True, sent=self.sent)
            if self.options.close_at_end:
                await connection.close(1000, "end of recording")
        except ConnectionClosed:
            pass

    async def resume(self, connection, cursor):
        """The entry to begin with. Without a cursor: what is due now, as a live platform does."""
        now = asyncio.get_running_loop().time() - self.started
        if cursor is None:
            return 0 if self.options.speed <= 0 else sum(1 for due in self.due if due + 0.001 < now)
        try:
            start = min(max(int(cursor), 0), len(self.entries))
        except ValueError:
            start = 0
        oldest = 0
        if self.options.remember is not None:
            live = len(self.entries) if self.options.speed <= 0 else sum(1 for due in self.due if due < now)
            oldest = max(0, live - self.options.remember)
        if start < oldest:
            lost = [e for e in self.entries[start:oldest] if isinstance(e, dict) and e.get("at")]
            if lost:
                gap = {"type": "gap", "from": self.shifted(lost[0])["at"], "to": self.shifted(lost[-1])["at"]}
                await connection.send(json.dumps(gap))
                tell(gap=gap)
            return oldest
        # Some platforms tell a few events again; they are dropped as repeats.
        return max(0, start - self.options.overlap)

    def shifted(self, event):
        """With --live, the recording happens now."""
        if not self.options.live or not event.get("at"):
            return event
        passed = (seconds(event["at"]) - self.first) / (self.options.speed or 1.0)
        return {**event, "at": rfc3339(self.started_unix + passed)}

    async def send(self, connection, event, index):
        event = self.shifted(event)
        as_binary = self.options.frames == "binary" or (self.options.frames == "mixed" and index % 2 == 0)
        if event.get("type") == "frame" and as_binary and isinstance(event.get("data"), str):
            await connection.send(binary_frame(event))
        else:
            await connection.send(json.dumps(event, ensure_ascii=False))

    def abort(self, connection):
        """Cuts the wire: no closing handshake."""
        connection.transport.abort()

    # ---------------------------------------------------------------------------------------------------- pictures

    async def sample(self, connection, request):
        """Looks at a channel, one every `every_ms`: `burst` pictures spread over `over_ms`."""
        channel, name = request.get("channel"), request.get("look", "L")
        burst = min(max(int(request.get("burst", 8)), 1), 8)
        over, every = request.get("over_ms", 2000) / 1000, request["every_ms"] / 1000
        speed = self.options.speed if self.options.speed > 0 else 1.0
        frames, number = self.on_request.get(channel, []), 0
        try:
            while True:
                number += 1
                look = name if number == 1 else f"{name}-{number}"
                now = self.first + (asyncio.get_running_loop().time() - self.started) * speed
                ahead = [f for f in frames if seconds(f.get("at")) >= now][:burst]
                for n in range(1, burst + 1):
                    at = now + (n - 1) * over / burst
                    picture = ahead[n - 1]["data"] if n <= len(ahead) else drawn(number * 8 + n)
                    event = {"type": "frame", "id": f"{look}-{n}", "at": rfc3339(at), "channel": channel,
                             "media": "image/jpeg", "look": {"id": look, "n": n, "of": burst}, "data": picture}
                    await self.gate.wait()
                    await self.send(connection, event, n)
                    await asyncio.sleep(over / burst / speed)
                tell(look=look, channel=channel, frames=burst)
                await asyncio.sleep(max(every - over, 0.0) / speed)
        except ConnectionClosed:
            pass

    # ---------------------------------------------------------------------------------------------------- commands

    async def command(self, word):
        if word == "close":
            for connection in list(self.connections):
                await connection.close(1012, "restart")
        elif word == "abort":
            for connection in list(self.connections):
                self.abort(connection)
        elif word == "hold":
            self.gate.clear()
        elif word == "go":
            self.gate.set()
        elif word == "stats":
            tell(sent=self.sent, samples=self.samples, connections=len(self.connections), done=self.done)
        elif word == "quit":
            return True
        elif word:
            tell(error=f"unknown command {word!r}")
        return False


def drawn(seed):
    """A small JPEG, base64: a grey field with a square that moves with the seed."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (320, 180), (96, 96, 104))
    x = (seed * 17) % 260
    ImageDraw.Draw(picture).rectangle((x, 60, x + 50, 130), fill=(200, 180, 150))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=70)
    return base64.b64encode(out.getvalue()).decode()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recording", required=True, help="JSON Lines, also .zst")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, told on stdout")
    parser.add_argument("--cert", help="PEM certificate chain; with --key: TLS")
    parser.add_argument("--key")
    parser.add_argument("--token", help="bearer credential that a client must show")
    parser.add_argument("--speed", type=float, default=1.0, help="times real time; 0: as fast as it goes")
    parser.add_argument("--live", action="store_true", help="move the recording's times to now")
    parser.add_argument("--frames", choices=["json", "binary", "mixed"], default="binary")
    parser.add_argument("--frames-on-request", action="store_true", help="pictures only where asked by `sample`")
    parser.add_argument("--ignore-samples", action="store_true", help="as a server that does not know `sample`")
    parser.add_argument("--cursor-every", type=int, default=20, help="events between two cursors")
    parser.add_argument("--overlap", type=int, default=0, help="events told again after a resume")
    parser.add_argument("--remember", type=int, help="how many past events a resume can go back; else a gap is told")
    parser.add_argument("--close-after", type=int, action="append", default=[], metavar="N",
                        help="break the connection once N events were sent in all; may be repeated")
    parser.add_argument("--cut", choices=["abort", "close"], default="abort", help="how --close-after breaks")
    parser.add_argument("--close-at-end", action="store_true")
    return parser.parse_args()


async def main():
    options = arguments()
    platform = Platform(options)
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
    async with serve(platform.handle, options.host, options.port, ssl=context, process_request=platform.check,
                     compression=None, max_size=1 << 20) as server:
        tell(port=server.sockets[0].getsockname()[1], entries=len(platform.entries), tls=bool(context))
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader()
        try:
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        except (ValueError, OSError):
            await asyncio.Future()  # no usable stdin: until killed
        while line := await lines.readline():
            if await platform.command(line.decode().strip()):
                return
        await asyncio.Future()  # stdin was closed: until killed


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
