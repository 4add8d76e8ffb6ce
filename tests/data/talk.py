"""Protocols that are not plain HTTP, both ends of them.

    python3 talk.py greet PORT              a server that speaks first, as SMTP and MySQL do, then repeats a line
    python3 talk.py listen HOST PORT FILE   its client: is silent until it is greeted
    python3 talk.py tls PORT                a TLS server that repeats a line, without a certificate (ECDH anonymous)
    python3 talk.py tls-ask HOST PORT FILE  its client
    python3 talk.py knock HOST PORT FILE    a client that only wants to know whether anybody is there

A client begins when FILE is there, and prints what it heard.
"""

import os
import socket
import socketserver
import ssl
import sys
import time


def context(purpose):
    anonymous = ssl.SSLContext(purpose)
    if purpose == ssl.PROTOCOL_TLS_CLIENT:
        anonymous.check_hostname, anonymous.verify_mode = False, ssl.CERT_NONE
    anonymous.maximum_version = ssl.TLSVersion.TLSv1_2
    anonymous.set_ciphers("AECDH-AES128-SHA:@SECLEVEL=0")
    anonymous.set_alpn_protocols(["http/1.1"])
    return anonymous


class Greeter(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 ready when you are\r\n")
        self.wfile.write(b"250 " + self.rfile.readline())


class Encrypted(socketserver.BaseRequestHandler):
    def handle(self):
        with context(ssl.PROTOCOL_TLS_SERVER).wrap_socket(self.request, server_side=True) as stream:
            stream.sendall(b"250 " + stream.recv(100))


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    allow_reuse_address = True
    daemon_threads = True


def connect(host, port, gate):
    while not os.path.exists(gate):
        time.sleep(0.05)
    return socket.create_connection((host, int(port)), timeout=60)


def listen(*where):
    with connect(*where) as stream:
        lines = stream.makefile("rb")
        print("heard", lines.readline().decode().strip(), flush=True)
        stream.sendall(b"HELO\r\n")
        print("heard", lines.readline().decode().strip(), flush=True)


def tls_ask(host, port, gate):
    plain = connect(host, port, gate)
    with context(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(plain, server_hostname=host) as stream:
        stream.sendall(b"a secret")
        print("heard", stream.recv(100).decode(), stream.version(), stream.selected_alpn_protocol(), flush=True)


def knock(*where):
    try:
        with connect(*where) as stream:
            print("heard", stream.recv(100), flush=True)
    except OSError as error:
        print("heard", type(error).__name__, flush=True)


match sys.argv[1:]:
    case ["greet", port]:
        Server(("", int(port)), Greeter).serve_forever()
    case ["listen", *where]:
        listen(*where)
    case ["tls", port]:
        Server(("", int(port)), Encrypted).serve_forever()
    case ["tls-ask", *where]:
        tls_ask(*where)
    case ["knock", *where]:
        knock(*where)
    case _:
        sys.exit(__doc__)
