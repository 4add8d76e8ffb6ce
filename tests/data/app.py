"""A service that has never heard of traces: says which headers it was asked with, and asks the next service.

PORT      where it listens (8080)
NEXT      host:port of the service that it asks, with the same method and path, before it answers
FAMILY    4 or 6: the IP version that it asks over; any, if not set
TOGETHER  for paths below /together: waits until so many requests are in, then all ask NEXT, then all answer

Below /forward it passes every header of its request on, as applications do that know only that they should. Answers
with JSON: its host name, the headers it was asked with, and what NEXT said. `/status/503` is answered with 503, by the
last service, and so is `/forward/status/503`.
"""

import http.client
import json
import os
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NEXT = os.environ.get("NEXT")
FAMILY = {"4": socket.AF_INET, "6": socket.AF_INET6}.get(os.environ.get("FAMILY"), socket.AF_UNSPEC)
HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding"}
PATIENCE = 60

everybody = threading.Barrier(int(os.environ.get("TOGETHER", "1")), timeout=PATIENCE)


def ask(method, path, headers):
    host, port = NEXT.rsplit(":", 1)
    family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), FAMILY, socket.SOCK_STREAM)[0]
    connection = http.client.HTTPConnection(NEXT, timeout=PATIENCE)
    connection.sock = socket.socket(family, kind, protocol)
    connection.sock.settimeout(PATIENCE)
    connection.sock.connect(address)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        together = self.path.startswith("/together")
        if together:
            everybody.wait()
        own = re.match(r"(?:/forward)?/status/(\d+)", self.path)
        status, below = int(own[1]) if own else 200, None
        if NEXT:
            passed_on = {}
            if self.path.startswith("/forward"):
                passed_on = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            status, below = ask(self.command, self.path, passed_on)
        if together:
            everybody.wait()
        document = {"host": socket.gethostname(), "headers": self.headers.items(), "next": below}
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    daemon_threads = True
    request_queue_size = 128


Server(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
