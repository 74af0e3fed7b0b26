"""A trust team's webhook receiver: verifies each request with the `standardwebhooks` package and parses it with
`cloudevents`, so that Vigie's signatures and envelopes are judged by other people's code.

In: HTTP(S) POST. Out: each verified event as a JSON line in --out; on stdout one JSON object a line telling what
happens, the first one {"port": N}. A request that does not verify gets 401, one that is no CloudEvent 400.

Example:
  python receiver.py --secret whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQ= --out events.jsonl --fail-first 2
"""

import argparse
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from standardwebhooks import Webhook, WebhookVerificationError

lock = threading.Lock()


def tell(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        options, state = self.server.options, self.server.state
        with lock:
            state["requests"] += 1
            number = state["requests"]
        if options.delay:
            time.sleep(options.delay)
        if number <= options.fail_first:
            tell(refused=options.fail_status, request=number, id=self.headers.get("webhook-id"))
            return self.answer(options.fail_status, "not yet\n")
        mischief = options.first[number - 1] if number <= len(options.first) else ""
        if mischief.isdigit() or mischief in ("close", "redirect"):
            tell(refused=mischief, request=number, id=self.headers.get("webhook-id"))
            if mischief == "close":
                self.close_connection = True
                return None
            return self.answer(307 if mischief == "redirect" else int(mischief), "not yet\n")

        try:
            Webhook(options.secret).verify(body, dict(self.headers.items()))
        except WebhookVerificationError as error:
            tell(unverified=str(error), id=self.headers.get("webhook-id"))
            return self.answer(401, f"{error}\n")

        problems = []
        content_type = self.headers.get("Content-Type", "")
        if content_type.split(";")[0].strip() != "application/cloudevents+json":
            problems.append(f"content type {content_type!r}")
        try:
            event = from_structured_event(HTTPMessage(dict(self.headers.items()), body))
        except Exception as error:  # whatever the library objects to is a refusal
            tell(no_cloud_event=str(error), id=self.headers.get("webhook-id"))
            return self.answer(400, f"{error}\n")
        if event.get_id() != self.headers.get("webhook-id"):
            problems.append(f"id {event.get_id()!r} is not the webhook-id")
        data = event.get_data() or {}
        if data.get("id") is not None and data["id"] != event.get_subject():
            problems.append(f"subject {event.get_subject()!r} is not the alert's id")

        with lock:
            repeat = event.get_id() in state["seen"]
            state["seen"].add(event.get_id())
            line = {"received_at": time.time(), "request": number, "repeat": repeat, "problems": problems,
                    "id": event.get_id(), "type": event.get_type(), "source": event.get_source(),
                    "subject": event.get_subject(), "path": self.path, "data": data}
            if options.out:
                with open(options.out, "a", encoding="utf-8") as out:
                    out.write(json.dumps(line, ensure_ascii=False) + "\n")
        tell(verified=event.get_id(), type=event.get_type(), level=data.get("level"), repeat=repeat, problems=problems)
        if mischief == "slow":
            time.sleep(options.slow)
        if mischief == "torn":
            self.wfile.write(b"HTTP/1.1 20")
            self.close_connection = True
            return None
        return self.answer(204, "")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "/elsewhere")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--secret", required=True, help="whsec_…, as the sink has it")
    parser.add_argument("--out", help="file for verified events, JSON Lines")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, told on stdout")
    parser.add_argument("--cert", help="PEM certificate chain; with --key: TLS")
    parser.add_argument("--key")
    parser.add_argument("--fail-first", type=int, default=0, metavar="N", help="refuse the first N requests")
    parser.add_argument("--fail-status", type=int, default=500)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--first", default=[], type=lambda text: text.split(","), metavar="WORD,…",
                        help="what becomes of the first requests: a status, close (no answer), torn (half a status line "
                             "for a request that was taken), slow (taken, answered late), redirect, or ok")
    parser.add_argument("--slow", type=float, default=2.0, help="seconds that a slow answer takes")
    options = parser.parse_args()

    server = ThreadingHTTPServer((options.host, options.port), Receiver)
    server.daemon_threads = True
    server.options, server.state = options, {"requests": 0, "seen": set()}
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    tell(port=server.server_address[1])
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
