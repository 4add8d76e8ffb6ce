"""A service of the old school: so many processes, each of which serves one request at a time, and asks the next service.

PORT      where it listens (8080)
NEXT      host:port of the service that it asks before it answers
WORKERS   how many processes (4)
WORK      how long it thinks before and after it asks, in milliseconds (20)

It forwards nothing, and keeps its connection to NEXT open, each process its own. Answers with JSON: the process, the headers it was asked with, and what NEXT said.
"""

import http.client
import json
import os
import random
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

NEXT = os.environ["NEXT"]
WORK = int(os.environ.get("WORK", "20")) / 1000


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(random.uniform(0, WORK))
        kept.request("GET", "/stock")
        below = json.loads(kept.getresponse().read())
        time.sleep(random.uniform(0, WORK))
        document = {"process": os.getpid(), "headers": self.headers.items(), "next": below}
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(HTTPServer):
    request_queue_size = 128


server = Server(("", int(os.environ.get("PORT", "8080"))), Handler)
for _ in range(int(os.environ.get("WORKERS", "4")) - 1):
    if os.fork() == 0:
        break
kept = http.client.HTTPConnection(NEXT, timeout=60)
server.serve_forever()
