"""Checks the peers themselves, before Vigie is judged by them: each is run as a process and spoken to by its own
packages. Exits 0 and prints "ok" if they do what they promise. Run by tests/it/peers.rs.

  python tests/peers/selftest.py [CERT KEY]
"""

import asyncio
import base64
import datetime
import json
import pathlib
import ssl
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from standardwebhooks import Webhook
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

here = pathlib.Path(__file__).parent
folder = pathlib.Path(tempfile.mkdtemp(prefix="peers-"))
TLS = sys.argv[1:3]
CHANNEL = "demo:1"


def recording():
    lines = [json.dumps({"type": "stream", "id": "s", "at": "2025-01-01T00:00:00Z", "channel": CHANNEL, "state": "live"})]
    for n in range(1, 60):
        at = f"2025-01-01T00:00:{n:02d}.000Z"
        lines.append(json.dumps({"type": "chat", "id": f"c{n}", "at": at, "channel": CHANNEL, "text": f"été {n}"}))
        if n % 10 == 0:
            lines.append(json.dumps({"type": "frame", "id": f"f{n}", "at": at, "channel": CHANNEL, "media": "image/jpeg",
                                     "data": base64.b64encode(b"jpeg%d" % n).decode()}))
    lines.append("{ this is no JSON")
    file = folder / "recording.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def start(script, *words):
    process = subprocess.Popen([sys.executable, here / script, *map(str, words)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    return process, json.loads(process.stdout.readline())["port"]


def subscribe(resume=None, **more):
    return json.dumps({"type": "subscribe", "version": 1, "channels": ["*"], "resume": resume,
                       "kinds": ["chat", "frame", "stream"], **more})


async def drain(socket, until=None, timeout=5.0):
    """Messages until one satisfies `until`, the connection ends or nothing comes."""
    got = []
    try:
        while True:
            got.append(await asyncio.wait_for(socket.recv(), timeout))
            if until and until(got[-1]):
                return got
    except (ConnectionClosed, asyncio.TimeoutError):
        return got


def ids(messages):
    out = []
    for message in messages:
        if isinstance(message, bytes):
            (length,) = struct.unpack(">I", message[:4])
            header = json.loads(message[4:4 + length])
            assert message[4 + length:] == b"jpeg" + header["id"][1:].encode() and "data" not in header
            out.append(header["id"])
        elif not message.startswith("{ "):
            event = json.loads(message)
            if "id" in event:
                out.append(event["id"])
    return out


def cursor(messages):
    found = [json.loads(m)["value"] for m in messages if isinstance(m, str) and m.startswith('{"type": "cursor"')]
    return found[-1]


def link(port):
    headers = {"Authorization": "Bearer secret"}
    if not TLS:
        return connect(f"ws://127.0.0.1:{port}", additional_headers=headers)
    return connect(f"wss://localhost:{port}", additional_headers=headers, ssl=ssl.create_default_context(cafile=TLS[0]))


async def platform_keeps_its_word():
    words = ["--recording", recording(), "--token", "secret", "--speed", 0, "--cursor-every", 5, "--overlap", 2,
             "--close-after", 30]
    if TLS:
        words += ["--cert", TLS[0], "--key", TLS[1]]
    process, port = start("stream_platform.py", *words)
    try:
        if not TLS:
            try:
                async with connect(f"ws://127.0.0.1:{port}"):
                    raise AssertionError("let in without a credential")
            except InvalidStatus as error:
                assert error.response.status_code == 401
        async with link(port) as socket:
            await socket.send(subscribe())
            first = await drain(socket)
        assert 0 < len(ids(first)) <= 30, "cut in mid-stream after 30; what was on the wire may be lost"
        async with link(port) as socket:
            await socket.send(subscribe(cursor(first)))
            second = await drain(socket, lambda m: isinstance(m, str) and "\"cursor\"" in m and '"66"' in m)
        everything = ids(first) + ids(second)
        assert len(set(everything)) == 65 and len(everything) > 65, "resumed with an overlap, nothing lost"
        assert any(isinstance(m, bytes) for m in second) and "{ this is no JSON" in second
    finally:
        process.kill()


async def platform_shows_where_asked():
    process, port = start("stream_platform.py", "--recording", recording(), "--token", "secret", "--speed", 20,
                          "--frames-on-request", "--frames", "json", "--live")
    try:
        async with connect(f"ws://127.0.0.1:{port}", additional_headers={"Authorization": "Bearer secret"}) as socket:
            await socket.send(subscribe(kinds=["chat", "frame"]))
            await socket.send(json.dumps({"type": "sample", "channel": CHANNEL, "look": "L7", "every_ms": 5000,
                                          "burst": 4, "over_ms": 2000}))
            got = await drain(socket, lambda m: '"L7-2"' in m and '"n": 4' in m)
            looks = [json.loads(m)["look"] for m in got if '"frame"' in m]
            assert looks[:5] == [{"id": "L7", "n": n, "of": 4} for n in (1, 2, 3, 4)] + [{"id": "L7-2", "n": 1, "of": 4}]
            chat = next(json.loads(m) for m in got if '"chat"' in m)
            age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(chat["at"])
            assert abs(age.total_seconds()) < 5, "--live tells it as of now"
    finally:
        process.kill()


def receiver_judges():
    secret, out = "whsec_" + base64.b64encode(b"a secret of some length").decode(), folder / "events.jsonl"
    process, port = start("receiver.py", "--secret", secret, "--out", out, "--fail-first", 1)
    body = json.dumps({"specversion": "1.0", "id": "A-1", "source": "urn:test", "subject": "A", "type": "eu.vigie.t.v1",
                       "datacontenttype": "application/json", "data": {"id": "A", "level": "danger"}})

    def post(text, sent=body):
        now = datetime.datetime.now(datetime.timezone.utc)
        headers = {"Content-Type": "application/cloudevents+json", "webhook-id": "A-1",
                   "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": Webhook(secret).sign("A-1", now, sent)}
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", text.encode(), headers)
            return urllib.request.urlopen(request, timeout=10).status
        except urllib.error.HTTPError as error:
            return error.code

    try:
        assert [post(body), post(body), post(body.replace("danger", "watch")), post("{}", "{}")] == [500, 204, 401, 400]
        (line,) = [json.loads(text) for text in out.read_text(encoding="utf-8").splitlines()]
        assert (line["id"], line["problems"], line["data"]["level"]) == ("A-1", [], "danger")
    finally:
        process.kill()


asyncio.run(platform_keeps_its_word())
if not TLS:
    asyncio.run(platform_shows_where_asked())
    receiver_judges()
print("ok")
