"""A server with a thread for each connection, from the standard library; a new connection for each call."""

import http.client
import http.server
from concurrent.futures import ThreadPoolExecutor

import truth


def call(request, host, path):
    truth.note(request, path)
    connection = http.client.HTTPConnection(host, 8080)
    connection.request("GET", path)
    answer = connection.getresponse().read()
    connection.close()
    return answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        for group in truth.groups(self.path):
            if len(group) == 1:
                call(self.path, *group[0])
            else:
                with ThreadPoolExecutor(len(group)) as pool:
                    list(pool.map(lambda wanted: call(self.path, *wanted), group))
        self.send_response(200)
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


Server(("", 8080), Handler).serve_forever()
