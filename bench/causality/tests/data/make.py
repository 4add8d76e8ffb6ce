#!/usr/bin/env python3
"""Writes the files beside it: the same two traces of an invented shop, in the spellings that published traces have.

The shop gets two requests that overlap. The first calls the stock, waits, and calls it again; the second calls it once,
in between. Calls of the first are made below a span of internal work.
"""

import gzip
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
T0 = 1_700_000_000_000_000  # microseconds
A, B = "00000000000000000af7651916cd43dd", "8448eb211c80319c8448eb211c80319c"

# trace, id, parent, service, kind, operation, start, length
SPANS = [
    (A, "a1", None, "shop", "server", "GET /basket/17", 0, 900),
    (A, "a2", "a1", "shop", "internal", "fill", 10, 870),
    (A, "a3", "a2", "shop", "client", "GET", 20, 300),
    (A, "a4", "a3", "stock", "server", "GET /items/3", 60, 200),
    (B, "b1", None, "shop", "server", "GET /basket/4", 100, 700),
    (B, "b2", "b1", "shop", "client", "GET", 150, 500),
    (B, "b3", "b2", "stock", "server", "GET /items/9", 200, 400),
    (A, "a5", "a2", "shop", "client", "GET", 400, 400),
    (A, "a6", "a5", "stock", "server", "GET /items/4", 450, 300),
]


def id64(short):
    return short.rjust(16, "0")


def jaeger(trace, kinds=True, processes=True, upper=False, only=None):
    spans = []
    parents = {span[1]: span[2] for span in SPANS}
    kept = {span[1] for span in SPANS if not only or span[4] in only}
    for of, id, parent, service, kind, operation, start, length in SPANS:
        if of != trace or id not in kept:
            continue
        while parent and parent not in kept:
            parent = parents[parent]
        tags = [{"key": "component", "type": "string", "value": "http"}]
        if kinds:
            tags.append({"key": "span.kind", "type": "string", "value": kind.upper() if upper else kind})
        span = {
            "traceID": of,
            "spanID": id64(id),
            "operationName": operation,
            "references": [],
            "startTime": T0 + start,
            "duration": length,
            "tags": tags,
            "logs": [],
        }
        if parent:
            kind = "FOLLOWS_FROM" if upper else "CHILD_OF"
            span["references"] = [{"refType": kind, "traceID": of, "spanID": id64(parent)}]
        if processes:
            span["processID"] = {"shop": "p1", "stock": "p2"}[service]
        else:
            span["process"] = {"serviceName": service}
        spans.append(span)
    found = {"traceID": trace, "spans": spans}
    if processes:
        host = lambda name: [{"key": "hostname", "type": "string", "value": name + "-0"}]
        found["processes"] = {
            "p1": {"serviceName": "shop", "tags": host("shop")},
            "p2": {"serviceName": "stock", "tags": host("stock")},
        }
    return found


def otlp_json():
    groups = []
    for service in ("shop", "stock"):
        spans = [
            {
                "traceId": trace,
                "spanId": id64(id),
                "parentSpanId": id64(parent) if parent else "",
                "name": operation,
                "kind": {"internal": 1, "server": 2, "client": "SPAN_KIND_CLIENT"}[kind],
                "startTimeUnixNano": str((T0 + start) * 1000),
                "endTimeUnixNano": str((T0 + start + length) * 1000),
            }
            for trace, id, parent, of, kind, operation, start, length in SPANS
            if of == service
        ]
        attributes = [{"key": "service.name", "value": {"stringValue": service}}]
        groups.append({"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]})
    return {"resourceSpans": groups}


def field(number, payload):
    length, varint = len(payload), b""
    while True:
        varint += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
        length >>= 7
        if not length:
            return bytes([number << 3 | 2]) + varint + payload


def otlp_protobuf():
    request = b""
    for service in ("shop", "stock"):
        scope = b""
        for trace, id, parent, of, kind, operation, start, length in SPANS:
            if of == service:
                span = field(1, bytes.fromhex(trace)) + field(2, bytes.fromhex(id64(id)))
                span += field(4, bytes.fromhex(id64(parent))) if parent else b""
                span += field(5, operation.encode())
                span += bytes([6 << 3, {"internal": 1, "server": 2, "client": 3}[kind]])
                span += bytes([7 << 3 | 1]) + struct.pack("<Q", (T0 + start) * 1000)
                span += bytes([8 << 3 | 1]) + struct.pack("<Q", (T0 + start + length) * 1000)
                scope += field(2, span)
        attribute = field(1, b"service.name") + field(2, field(1, service.encode()))
        request += field(1, field(1, field(1, attribute)) + field(2, scope))
    return request


def write(name, documents):
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(json.dumps(document) for document in documents) + "\n")


write("jaeger.json", [{"data": [jaeger(A), jaeger(B)], "total": 0, "errors": None}])
write("jaeger-lines.json", [jaeger(trace, processes=False, upper=True) for trace in (A, B)])
write("jaeger-folder/a.json", [[jaeger(A)]])
write("jaeger-folder/b.json", [{"data": [jaeger(B)]}])
write("jaeger-kindless.json", [[jaeger(A, kinds=False), jaeger(B, kinds=False)]])
write("jaeger-servers-only.json", [[jaeger(A, only=["server", "internal"]), jaeger(B, only=["server"])]])
write("otlp.json", [otlp_json()])
(HERE / "otlp.binpb.gz").write_bytes(gzip.compress(otlp_protobuf(), mtime=0))
