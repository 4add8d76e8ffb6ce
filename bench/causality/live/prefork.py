"""For gunicorn's sync workers: each a process with one request at a time, which keeps its connections to callees."""

import http.client

import truth

connections = {}


def call(request, host, path):
    truth.note(request, path)
    if host not in connections:
        connections[host] = http.client.HTTPConnection(host, 8080)
    connections[host].request("GET", path)
    return connections[host].getresponse().read()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    for group in truth.groups(path):
        for wanted in group:
            call(path, *wanted)
    start_response("200 OK", [("content-length", "3")])
    return [b"ok\n"]
