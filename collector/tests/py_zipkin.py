"""Sends one call between two services with py_zipkin: py_zipkin.py PORT V2_JSON|V2_PROTO3"""

import sys

# this file is called like the package that it is about
sys.path = sys.path[1:]

from py_zipkin import Encoding, zipkin
from py_zipkin.transport import SimpleHTTPTransport

port, encoding = int(sys.argv[1]), Encoding[sys.argv[2]]
options = {"transport_handler": SimpleHTTPTransport("127.0.0.1", port), "encoding": encoding}

try:
    with zipkin.zipkin_client_span("zipkin-shop", "charge", sample_rate=100.0, **options) as client:
        client.add_annotation("asked")
        client.update_binary_annotations({"shop.items": "3"})
        client.add_sa_binary_annotation(port=8080, service_name="zipkin-till", host="10.1.2.3")
        # the server goes on with the client's own id, as B3 has it
        with zipkin.zipkin_server_span("zipkin-till", "take", zipkin_attrs=client.zipkin_attrs, **options):
            raise ValueError("no funds")
except ValueError:
    pass
