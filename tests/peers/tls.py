"""A TLS server at PORT with CERTIFICATE and KEY, and a client that connects to ADDRESS and speaks VERSION. Prints as
JSON what both got to see."""

import json
import socket
import ssl
import sys
import threading

port, certificate, key, address, version = sys.argv[1:]
version = getattr(ssl.TLSVersion, version)
seen = {}

listener = socket.create_server(("127.0.0.1", int(port)))


def serve():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    context.sni_callback = lambda _, name, __: seen.update(name=name)
    with context.wrap_socket(listener.accept()[0], server_side=True) as stream:
        seen["asked"] = stream.recv(100).decode()
        stream.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        seen["end"] = len(stream.recv(100))


server = threading.Thread(target=serve)
server.start()
context = ssl.create_default_context(cafile=certificate)
context.minimum_version = context.maximum_version = version
context.set_alpn_protocols(["h2", "http/1.1"])
host, port = address.split(":")
with context.wrap_socket(socket.create_connection((host, int(port))), server_hostname="bank.example") as stream:
    stream.sendall(b"GET / HTTP/1.1\r\nHost: bank.example\r\n\r\n")
    seen["answer"] = stream.recv(100).decode()
    seen["version"] = stream.version()
    seen["alpn"] = stream.selected_alpn_protocol()
server.join()
print(json.dumps(seen, sort_keys=True))
