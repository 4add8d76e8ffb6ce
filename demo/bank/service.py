"""What the bank's Python services share: a JSON server and a JSON call, on the standard library."""

import http.client
import json
import os
import re
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_kept = threading.local()


def setting(name, default):
    return os.environ.get(name, default)


def say(line):
    print(line, flush=True)


def ask(host, path):
    """GETs a document. Every thread keeps one connection to a host; a GET may be sent again if that one has died."""
    connections = _kept.__dict__.setdefault("connections", {})
    for fresh in (False, True):
        connection = connections.get(host)
        if connection is None or fresh:
            connection = connections[host] = http.client.HTTPConnection(host, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (http.client.HTTPException, OSError):
            connection.close()
            if fresh:
                raise


def tell(host, path, document):
    """POSTs a document on a connection of its own, once: what changes something is never sent twice."""
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("POST", path, json.dumps(document), {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def serve(name, routes):
    """Serves `routes`, a list of (method, pattern, function) where the function takes the pattern's groups and the
    request's document and returns (status, document)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self):
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length)
            try:
                status, document = self.route(body)
            except (http.client.HTTPException, OSError) as error:
                status, document = 502, {"error": str(error)}
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def route(self, body):
            if self.path == "/health":
                return 200, {"open": True}
            for method, pattern, function in routes:
                match = re.fullmatch(pattern, self.path)
                if match and method == self.command:
                    try:
                        document = json.loads(body) if body else None
                    except ValueError:
                        return 400, {"error": "the request is not JSON"}
                    return function(*match.groups(), document)
            return 404, {"error": "no such place"}

        do_GET = do_POST = handle_any

        def log_message(self, *_):
            pass

    port = int(setting("PORT", "8080"))
    try:
        Server.address_family = socket.AF_INET6
        server = Server(("::", port), Handler)
    except OSError:
        Server.address_family = socket.AF_INET
        server = Server(("", port), Handler)
    say(f"{name} is open on port {port}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
