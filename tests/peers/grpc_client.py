"""Calls stories.Echo at ADDRESS in all ways that grpcio knows, and prints as JSON what it got to see."""

import json
import sys
import threading

import grpc

channel = grpc.insecure_channel(sys.argv[1])


def metadata(pairs):
    return sorted((key, value) for key, value in pairs or () if key.startswith("x-"))


def outcome(call, messages):
    try:
        received = [message.decode() for message in messages()]
        error = None
    except grpc.RpcError:
        received = None
        error = [call.code().name, call.details()]
    return {
        "messages": received,
        "error": error,
        "first": metadata(call.initial_metadata()),
        "last": metadata(call.trailing_metadata()),
    }


def unary(message, **options):
    call = channel.unary_unary("/stories.Echo/Unary").future(message, **options)
    return outcome(call, lambda: [call.result()])


def server_stream(message):
    call = channel.unary_stream("/stories.Echo/ServerStream")(message)
    return outcome(call, lambda: list(call))


def client_stream(messages):
    call = channel.stream_unary("/stories.Echo/ClientStream").future(iter(messages))
    return outcome(call, lambda: [call.result()])


def bidi(messages):
    call = channel.stream_stream("/stories.Echo/Bidi")(iter(messages))
    return outcome(call, lambda: list(call))


def cancelled():
    call = channel.unary_unary("/stories.Echo/Unary").future(b"wait")
    threading.Timer(0.3, call.cancel).start()
    try:
        call.result()
    except grpc.FutureCancelledError:
        return call.code().name
    return "not cancelled"


seen = {
    "unary": unary(b"one"),
    "fail": unary(b"fail"),
    "deadline": unary(b"wait", timeout=0.5)["error"][0],
    "cancelled": cancelled(),
    "server stream": server_stream(b"two"),
    "client stream": client_stream([b"a", b"b", b"c"]),
    "bidi": bidi([b"d", b"e"]),
    "bidi that breaks": bidi([b"f", b"break", b"g"]),
    "large": len(unary(b"x" * 1_000_000)["messages"][0]),
    "none": unary(b""),
}
print(json.dumps(seen, indent=1))
