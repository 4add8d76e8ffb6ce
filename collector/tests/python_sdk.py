"""Sends one trace with OpenTelemetry's SDK: python_sdk.py grpc|http/protobuf ENDPOINT none|gzip"""

import sys

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind

protocol, endpoint, compression = sys.argv[1:]

if protocol == "grpc":
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    kind = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=True, compression=kind, timeout=20)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    kind = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    exporter = OTLPSpanExporter(endpoint=endpoint, compression=kind, timeout=20)


class Checked(SimpleSpanProcessor):
    """An exporter that fails says so only in the log; here it ends the program."""

    def on_end(self, span):
        if self.span_exporter.export((span,)) is not SpanExportResult.SUCCESS:
            sys.exit("the span was not taken")


provider = TracerProvider(resource=Resource.create({"service.name": "python-shop"}))
provider.add_span_processor(Checked(exporter))
tracer = provider.get_tracer("shop", "1.0")
try:
    with tracer.start_as_current_span("order", kind=SpanKind.SERVER) as order:
        order.set_attribute("shop.items", 3)
        order.set_attribute("shop.names", ["a", "b"])
        with tracer.start_as_current_span("charge", kind=SpanKind.CLIENT):
            raise ValueError("no funds")
except ValueError:
    pass
provider.shutdown()
