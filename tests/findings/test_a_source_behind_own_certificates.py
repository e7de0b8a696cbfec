"""Certificates of the machine count, also those that an organisation adds; uv and requests have lists of their own."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.lab.capture.environment import _install
from blockchaintracer.lab.capture.source_packages import _downloaded

pytestmark = pytest.mark.node


def test_a_source_is_fetched_with_the_machines_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv found a source behind a company's proxy, and it could not be fetched: each verdict was refused. OpenSSL looks
    for the machine's certificates in SSL_CERT_FILE, if that is set."""
    data, certificate = b"a source", tmp_path / "own.pem"
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a.tar.gz").write_bytes(data)
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=own"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key.pem"), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key.pem")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.delenv(name, raising=False)
        place, digest = f"https://127.0.0.1:{server.server_port}/a.tar.gz", hashlib.sha256(data).hexdigest()
        with pytest.raises(ChainUnavailable, match="SSLError"):
            _downloaded(place, tmp_path / "a", [digest])
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert _downloaded(place, tmp_path / "a", [digest]).read_bytes() == data
        server.shutdown()


def test_uv_takes_the_machines_certificates(tmp_path: Path) -> None:
    """`make record` ended with "invalid peer certificate: UnknownIssuer" where no variable named a file of them."""
    tells = "import os, sys; sys.exit('certificates: ' + os.environ.get('UV_SYSTEM_CERTS', 'of uv'))"
    with pytest.raises(InputError, match="certificates: true"):
        _install([sys.executable, "-c", tells], str(tmp_path))
