"""Signed DNS zones of a test's own, from the root down, and a name server that answers from them."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from dns.dnssectypes import Algorithm, DSDigest

NOW = 1_790_000_000
DAY = 86_400


def name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


@dataclass
class Zone:
    """A zone with one key, which signs all of its records from `start` until `end`."""

    origin: str
    algorithm: Algorithm = Algorithm.ECDSAP256SHA256
    rsa_bits: int = 2048
    ds_digest: DSDigest = DSDigest.SHA256
    start: int = NOW - DAY
    end: int = NOW + 13 * DAY
    flags: int = 257
    sets: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.algorithm in (Algorithm.RSASHA1, Algorithm.RSASHA256):
            self.private: Any = rsa.generate_private_key(65537, self.rsa_bits)
        elif self.algorithm == Algorithm.ED25519:
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())
        self.key = dns.dnssec.make_dnskey(self.private.public_key(), self.algorithm, flags=self.flags)
        self.add(self.origin, "DNSKEY", self.key)

    def ds(self) -> Any:
        policy = dns.dnssec.allow_all_policy
        return dns.dnssec.make_ds(name(self.origin), self.key, self.ds_digest, policy=policy)

    def add(
        self, owner: str, kind: str, *records: Any, signed_as: str | None = None, signer: str | None = None
    ) -> None:
        """Add and sign a set.

        Args:
            signed_as: the owner that is signed, such as a wildcard.
            signer: the zone that the signature names, if it is not this one.
        """
        read = [
            record if not isinstance(record, str) else dns.rdata.from_text("IN", kind, record) for record in records
        ]
        rrset = dns.rrset.from_rdata_list(name(owner), 3600, read)
        signed = dns.rrset.from_rdata_list(name(signed_as or owner), 3600, read)
        signature = dns.dnssec.sign(
            signed,
            self.private,
            name(signer or self.origin),
            self.key,
            inception=self.start,
            expiration=self.end,
            policy=dns.dnssec.allow_all_policy,
        )
        kept, signatures = self.sets.get((name(owner), rrset.rdtype), (None, []))
        self.sets[name(owner), rrset.rdtype] = (rrset, [*signatures, signature] if kept == rrset else [signature])


class Zones:
    """The root, org and example.org, with one TXT record; anchors of the root."""

    def __init__(self, text: str = '"hello"', domain: str = "example.org", now: int = NOW, **of_leaf: Any) -> None:
        above, window = domain.split(".", 1)[1], {"start": now - DAY, "end": now + 13 * DAY}
        self.root, self.top = Zone(".", **window), Zone(f"{above}.", **window)
        self.leaf = Zone(f"{domain}.", **window | of_leaf)
        self.top.add(f"{domain}.", "DS", self.leaf.ds())
        self.root.add(f"{above}.", "DS", self.top.ds())
        self.leaf.add(f"_blockchaintracer.{domain}.", "TXT", text)
        self.anchors = [self.root.ds().to_text()]

    @property
    def sets(self) -> dict[Any, Any]:
        return self.root.sets | self.top.sets | self.leaf.sets

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """Answer as a resolver does that was asked for signatures."""
        response = dns.message.make_response(query, recursion_available=True)
        asked = query.question[0]
        for kind in (asked.rdtype, dns.rdatatype.CNAME):
            if held := self.sets.get((asked.name, kind)):
                rrset, signatures = held
                response.answer += [dns.rrset.from_rdata_list(asked.name, 3600, it) for it in (rrset, signatures) if it]
                break
        return response

    def ask(self, asked: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message:
        return self.answer(dns.message.make_query(asked, kind, want_dnssec=True))


@contextmanager
def name_server(zones: Zones, truncated: bool = False) -> Iterator[int]:
    """Answer DNS over UDP and TCP on this machine; yield the port. `truncated`: over UDP nothing but "ask by TCP"."""

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            response = zones.answer(dns.message.from_wire(data))
            if truncated:
                response.answer.clear()
                response.flags |= dns.flags.TC
            sock.sendto(response.to_wire(), self.client_address)

    class Tcp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            size = struct.unpack("!H", self.request.recv(2, socket.MSG_WAITALL))[0]
            wire = zones.answer(dns.message.from_wire(self.request.recv(size, socket.MSG_WAITALL))).to_wire()
            self.request.sendall(struct.pack("!H", len(wire)) + wire)

    with (
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tcp) as tcp,
        socketserver.ThreadingUDPServer(tcp.server_address, Udp) as udp,
    ):
        for server in (tcp, udp):
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield tcp.server_address[1]
        finally:
            tcp.shutdown()
            udp.shutdown()
