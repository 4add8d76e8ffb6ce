"""An HTTP/2 server at PORT which clients get to by `Upgrade: h2c`. Answers each request with the fields that it carried,
one a line, and ends when its connection does."""

import socket
import sys

import h2.config
import h2.connection
import h2.events

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
stream, _ = listener.accept()
received = b""
while b"\r\n\r\n" not in received:
    received += stream.recv(65536)
head, received = received.split(b"\r\n\r\n", 1)
fields = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
settings = next(value for name, value in fields if name.lower() == b"http2-settings")

connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
connection.initiate_upgrade_connection(settings)
stream.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")


def answer(stream_id, fields):
    body = b"".join(name.lower() + b": " + value + b"\n" for name, value in fields)
    connection.send_headers(stream_id, [(":status", "200"), ("content-length", str(len(body)))])
    connection.send_data(stream_id, body, end_stream=True)


answer(1, fields)
stream.sendall(connection.data_to_send())
while True:
    for event in connection.receive_data(received):
        if isinstance(event, h2.events.RequestReceived):
            answer(event.stream_id, [(bytes(name), bytes(value)) for name, value in event.headers])
    stream.sendall(connection.data_to_send())
    received = stream.recv(65536)
    if not received:
        break
