#!/usr/bin/env python3
"""Makes the .bin files beside it: the first flights of real TLS handshakes, by Python's ssl module (OpenSSL).

Run it in this folder; it needs the openssl program for a throw-away certificate. Random values differ on each run, so
the files change, and what the tests say about them does not.
"""

import pathlib
import ssl
import subprocess
import tempfile

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def handshake(name, oldest, latest, alpn, server_name):
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.minimum_version, client.maximum_version = oldest, latest
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-keyout", key, "-out", certificate, "-subj", "/CN=shop.example"],
            check=True,
            capture_output=True,
        )
        server.load_cert_chain(certificate, key)
    if alpn:
        client.set_alpn_protocols(alpn)
        server.set_alpn_protocols(alpn)

    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sent = start(client.wrap_bio(to_client, to_server, server_hostname=server_name), to_server)
    pathlib.Path(f"{name}.client.bin").write_bytes(sent)
    to_server.write(sent)
    sent = start(server.wrap_bio(to_server, to_client, server_side=True), to_client)
    pathlib.Path(f"{name}.server.bin").write_bytes(sent)


def start(end, out):
    """What this end sends before it has to wait for the other."""
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


handshake("tls13", V12, V13, ["h2", "http/1.1"], "shop.example")
handshake("tls12", V12, V12, ["http/1.1"], "shop.example")
handshake("plain", V12, V13, [], None)
