"""Asks a domain: the TXT records at ``_blockchaintracer.D``, with the DNSSEC signatures that prove them to anybody."""

from __future__ import annotations

import os
import re
from pathlib import Path

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.core.networks import when
from blockchaintracer.extras.identity.other_side import Asking, Named, judge
from blockchaintracer.lab.optional import require

RESOLVER = "BLOCKCHAINTRACER_RESOLVER"
"""Names the resolver to ask: IP address, with a port if it is not 53, or an https:// address (RFC 8484)."""
ANCHORS = "BLOCKCHAINTRACER_DNS_ANCHORS"
"""Names a file of DS records of the root zone, one a line, in the place of IANA's: for a private root."""
_PLACE = re.compile(r"\[?([0-9a-fA-F.:]+?)\]?(?::([0-9]{1,5}))?")


class DnsTxt:
    """TXT records of the domain, each with one name of a claim, account or group."""

    name, proves = "dns", True

    def address(self, statement: IdentityStatement) -> str:
        """Return what is asked, for people."""
        return f"TXT _blockchaintracer.{statement.identifier}"

    def fetch(self, statement: IdentityStatement, asking: Asking) -> bytes | None:
        """Return the records with their chain of signatures, None if there are no such records."""
        require("dns.dnssec", "identity")
        from blockchaintracer.extras.identity.dns_proof import NoRecord, collect, resolver

        place, port = os.environ.get(RESOLVER), 53
        if place and not place.startswith("https://"):
            match = _PLACE.fullmatch(place)
            if match is None:
                raise InputError(f"expected an IP address or an https:// address in ${RESOLVER}, got {place[:60]!r}")
            place, port = match[1], int(match[2] or 53)
        try:
            ask = resolver(place, port=port, allow_local=asking.allow_local)
            return collect(statement.identifier, ask, _anchors())
        except NoRecord:
            return None
        except NotVerified as error:
            raise InputError(error.message, hint=error.hint) from None

    def names(self, data: bytes, statement: IdentityStatement, at: int) -> Named:
        """Say whether the records name the claim, account or group, and are signed at this time."""
        require("dns.dnssec", "identity")
        from blockchaintracer.extras.identity.dns_proof import verify

        anchors = _anchors()
        try:
            shown = verify(data, statement.identifier, anchors, at=at)
        except NotVerified as error:
            return Named(False, error.message)
        judged = judge(shown.texts, statement)
        span = f"signed by DNSSEC, valid from {when(shown.valid_from)} until {when(shown.valid_until)}"
        span += ", under the trust anchors that you named" if anchors else ""
        return Named(judged.says, f"{judged.reason} ({span})", judged.by)


def _anchors() -> tuple[str, ...] | None:
    if not (file := os.environ.get(ANCHORS)):
        return None
    text = read_limited(Path(file), 1 << 14, "trust anchors").decode("ascii", "replace")
    return tuple(line for line in text.splitlines() if line.strip())


METHOD = DnsTxt()
