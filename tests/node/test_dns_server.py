"""A DNSSEC proof that is collected from a real name server, over UDP and TCP."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dns.message
import pytest
from click.testing import CliRunner

from blockchaintracer.cli import main
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.core.record import Role
from blockchaintracer.extras.identity.dns_proof import collect, resolver, verify
from blockchaintracer.extras.identity.dns_txt import ANCHORS, RESOLVER
from blockchaintracer.extras.identity.other_side import Asking, method
from blockchaintracer.lab.lab import Lab
from tests.support.dns_zones import DAY, NOW, Zones, name_server
from tests.support.labs import free_port


@pytest.mark.parametrize("truncated", [False, True], ids=["udp", "tcp"])
def test_a_proof_from_a_name_server(truncated: bool) -> None:
    now = int(time.time())
    zones = Zones(now=now)
    with name_server(zones, truncated) as port:
        proof = collect("example.org", resolver("127.0.0.1", port=port), zones.anchors)
    shown = verify(proof, "example.org", zones.anchors)
    assert shown.texts == ("hello",)
    assert shown.holds_at(now)


def test_a_proof_over_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zones, files = Zones(now=int(time.time())), ["-keyout", "site.key", "-out", "site.pem", "-subj", "/CN=resolver"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files]
    subprocess.run([*made, "-addext", "subjectAltName=IP:127.0.0.1"], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "site.pem", tmp_path / "site.key")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "site.pem"))
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["Content-Type"])
            query = dns.message.from_wire(self.rfile.read(int(self.headers["Content-Length"])))
            wire = zones.answer(query).to_wire()
            self.send_response(503 if self.path == "/busy" else 200)
            self.send_header("Content-Length", str(len(wire)))
            self.end_headers()
            self.wfile.write(wire)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"https://127.0.0.1:{server.server_port}"
    try:
        proof = collect("example.org", resolver(f"{address}/dns-query"), zones.anchors)
        assert verify(proof, "example.org", zones.anchors).texts == ("hello",)
        assert {*asked} == {"application/dns-message"}
        for ask, reason in ((resolver(f"{address}/busy"), "503"), (resolver(address, allow_local=False), "no public")):
            with pytest.raises(ChainUnavailable, match=reason):
                collect("example.org", ask, zones.anchors)
    finally:
        server.shutdown()
        server.server_close()


def test_a_resolver_that_is_away_is_no_verdict() -> None:
    with pytest.raises(ChainUnavailable, match="gave no answer"):
        collect("example.org", resolver("127.0.0.1", port=free_port(), seconds=0.2), ["1 8 2 " + "00" * 32])


REGISTRY = "eip155:1:0x" + "12" * 20


def statement(domain: str) -> IdentityStatement:
    fields = {"chainId": "1", "registry": "0x" + "12" * 20, "account": "0x" + "34" * 20, "group": 3, "scheme": "domain"}
    return IdentityStatement.from_plain(
        {**fields, "identifier": domain, "signedAt": "1700000000", "nonce": "0x" + "ab" * 32}
    )


def test_a_domain_names_a_group_by_dns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time.time())
    zones, dns, asking = Zones(f'"{REGISTRY}/group/3"', now=now), method("domain", "dns"), Asking()
    assert dns is not None
    anchors = tmp_path / "anchors"
    anchors.write_text("\n".join(zones.anchors))
    monkeypatch.setenv(ANCHORS, str(anchors))
    with name_server(zones) as port:
        monkeypatch.setenv(RESOLVER, f"127.0.0.1:{port}")
        data = dns.fetch(statement("example.org"), asking)
        assert data is not None
        assert dns.fetch(statement("other.example.org"), asking) is None
        # a zone whose chain is broken: refused, and not "there is none"
        zones.top.sets.clear()
        with pytest.raises(InputError):
            dns.fetch(statement("example.org"), asking)
    named = dns.names(data, statement("example.org"), now)
    assert (named.says, named.by) == (True, "group")
    assert "valid from" in named.reason
    assert not dns.names(data, statement("example.com"), now).says
    assert not dns.names(data, statement("example.org"), now + 30 * DAY).says
    assert not dns.names(b"", statement("example.org"), now).says
    monkeypatch.delenv(ANCHORS)
    assert "no trust anchor" in dns.names(data, statement("example.org"), now).reason


@pytest.mark.parametrize(
    "text", [REGISTRY[:-1] + "3/group/3", f"{REGISTRY}/group/33", f"{REGISTRY}/account/0x{'34' * 20}"]
)
def test_a_text_of_another_registry_or_group_names_nothing(text: str) -> None:
    zones, dns = Zones(f'"{text}"'), method("domain", "dns")
    assert dns is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("blockchaintracer.extras.identity.dns_txt._anchors", lambda: zones.anchors)
        named = dns.names(collect("example.org", zones.ask, zones.anchors, at=NOW), statement("example.org"), NOW)
    assert not named.says


def test_a_stranger_reads_who_it_is_when_the_domain_is_gone(
    lab: Lab, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zone's word is recorded and published; then the name server is off, and the proof still convinces."""
    group = lab.group(Role.RECORDER)
    text = f"eip155:{lab.chain_id}:{lab.domain.registry.lower()}/group/{group}"
    zones, anchors = Zones(f'"{text}"', now=int(time.time())), tmp_path / "anchors"
    anchors.write_text("\n".join(zones.anchors))
    # no site of the domain answers: its word is the TXT record alone
    for name, value in ((ANCHORS, str(anchors)), ("BLOCKCHAINTRACER_WELL_KNOWN", f"http://127.0.0.1:{free_port()}")):
        monkeypatch.setenv(name, value)

    def run(*arguments: str, where: tuple[str, ...] = (), code: int = 0) -> Any:
        done = CliRunner().invoke(main, [*arguments, "--json", *(where or ("--home", str(lab.home.path)))])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    record = run("record", str(file))["id"]
    claim = run("identity", "claim", "--domain", "example.org", "--for-group")
    with name_server(zones) as port:
        monkeypatch.setenv(RESOLVER, f"127.0.0.1:{port}")
        checked = run("identity", "check", claim["id"], "--record", "--allow-local")
    assert [it["state"] for it in checked["claims"]] == ["confirmed now"]
    run("publish", record, "--to", str(tmp_path / "published"))
    node = ("--rpc", lab.devnet.start().url, "--chain-id", str(lab.chain_id), "--registry", lab.registry.address)
    stranger = (*node, "--home", str(tmp_path / "nobody"), "--from", str(tmp_path / "published"))
    [holder] = run("verify", record, where=stranger)["holders"]
    assert [it["proven"] for it in holder["seen"]] == [True]
    # a stranger who trusts the real root alone takes nothing from this one
    monkeypatch.delenv(ANCHORS)
    [holder] = run("verify", record, where=stranger)["holders"]
    assert not holder["seen"]
