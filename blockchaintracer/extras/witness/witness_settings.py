"""Which witnesses are asked, and which are trusted: a small file in the lab's folder, and options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.networks import redact_url
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import checksummed
from blockchaintracer.extras.witness.authority_token import TrustedAuthority, read_certificates
from blockchaintracer.extras.witness.bitcoin_headers import (
    TrustedHeaders,
    headers_of_file,
    headers_of_node,
    normal_block_hash,
)
from blockchaintracer.extras.witness.second_chain import TrustedChains
from blockchaintracer.extras.witness.service import require_address
from blockchaintracer.lab.formats import WITNESS_SETTINGS
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.optional import require

FILE = "witnesses.json"
"""Name of the file in the lab's folder."""
_LARGEST = 1 << 18
_FIELDS = {"type", "calendars", "authorities", "chains", "bitcoin"}


@dataclass(frozen=True)
class AuthoritySetting:
    """An authority that is asked.

    Args:
        url: where it is asked; empty for one that is trusted and not asked.
        certificate: path of its root certificates in PEM; empty if it is asked and not trusted.
        policy: object identifier that is asked for, and the only one that counts; empty for any.
    """

    url: str = ""
    certificate: str = ""
    policy: str = ""

    @property
    def source(self) -> str:
        """The address as receipts name it: without what may be a key."""
        return redact_url(self.url)


@dataclass(frozen=True)
class ChainSetting:
    """A registry of a second chain, in which what is stamped is recorded, and a node of its chain.

    Args:
        registry: ``eip155:CHAIN:REGISTRY``.
        rpc: address of a node.
        key: name of the key that records there; empty for the one that was chosen for this chain.
        group: number of the group that records there; 0 for the one that was chosen.
    """

    registry: str
    rpc: str
    key: str = ""
    group: int = 0

    @property
    def place(self) -> tuple[int, str]:
        """Chain and address of the registry."""
        parts = self.registry.split(":")
        if len(parts) != 3 or parts[0] != "eip155" or not parts[1].isdecimal() or len(parts[1]) > 20:
            raise InputError(f"expected eip155:CHAIN:REGISTRY for a second chain, got {self.registry[:80]!r}")
        return int(parts[1]), checksummed(parts[2], "a registry's address")


@dataclass(frozen=True)
class WitnessSettings:
    """Which witnesses are asked, and which are trusted.

    Args:
        calendars: addresses of OpenTimestamps calendars.
        headers: path of a file of Bitcoin headers that is trusted; empty for none.
        blocks: hashes of Bitcoin blocks that are trusted.
        node: address of a Bitcoin node that is trusted; empty for none.
        allow_local: let services be http, and in a private network.
        regtest: take Bitcoin headers that anybody mines in no time.
    """

    calendars: tuple[str, ...] = ()
    authorities: tuple[AuthoritySetting, ...] = ()
    chains: tuple[ChainSetting, ...] = ()
    headers: str = ""
    blocks: tuple[str, ...] = ()
    node: str = ""
    allow_local: bool = False
    regtest: bool = False

    @classmethod
    def of_home(cls, home: Home, file: Path | None = None) -> WitnessSettings:
        """Read the settings of a home, or of another file. Paths in it count from its folder. None are fine.

        Raises:
            InputError: if it is no such file.
        """
        path = file or home.path / FILE
        return cls.read(path) if file or path.is_file() else cls()

    @classmethod
    def read(cls, path: Path) -> WitnessSettings:
        """Read a file of settings (docs/formats.md)."""
        data = parse_json(read_limited(path, _LARGEST, "settings of witnesses"), str(path))
        WITNESS_SETTINGS.check_header(data, str(path))
        if unknown := sorted({*data} - _FIELDS):
            raise InputError(f"{path}: expected {', '.join(sorted(_FIELDS))}, got {unknown[0][:40]!r}")
        try:
            bitcoin = data.get("bitcoin", {})
            settings = cls(
                tuple(map(_text, data.get("calendars", ()))),
                tuple(AuthoritySetting(**_texts(it)) for it in data.get("authorities", ())),
                tuple(ChainSetting(**_texts(it, "group")) for it in data.get("chains", ())),
                headers=_text(bitcoin.get("headers", "")),
                blocks=tuple(map(_text, bitcoin.get("blocks", ()))),
                node=_text(bitcoin.get("node", "")),
                regtest=bitcoin.get("regtest", False) is True,
            )
        except (TypeError, AttributeError, ValueError) as error:
            raise InputError(
                f"{path}: expected settings of witnesses, got: {str(error)[:120]}", hint="docs/time.md shows them."
            ) from None
        beside = path.parent
        return replace(
            settings,
            headers=str(beside / settings.headers) if settings.headers else "",
            authorities=tuple(
                replace(it, certificate=str(beside / it.certificate)) if it.certificate else it
                for it in settings.authorities
            ),
        )

    @property
    def default_calendars(self) -> tuple[str, ...]:
        """The calendars of the settings, else those that the library names."""
        if self.calendars:
            return self.calendars
        return tuple(require("opentimestamps.calendar", "witness").DEFAULT_AGGREGATORS)

    def may_ask(self, url: str) -> bool:
        """Whether a calendar that a proof names may be asked: one of the settings, or that the library names."""
        known = require("opentimestamps.calendar", "witness").DEFAULT_CALENDAR_WHITELIST
        if url.rstrip("/") in {it.rstrip("/") for it in self.calendars}:
            return True
        return url.startswith("https://") and url in known

    def require_addresses(self) -> WitnessSettings:
        """Return the settings if each service is at an address that may be asked."""
        for url in (*self.calendars, *(it.url for it in self.authorities if it.url)):
            require_address(url, allow_local=self.allow_local)
        return self


@dataclass(frozen=True, kw_only=True)
class WitnessTrust:
    """What a verifier trusts of witnesses. Nothing of a receipt chooses it."""

    bitcoin: TrustedHeaders = field(default_factory=TrustedHeaders)
    authorities: tuple[TrustedAuthority, ...] = ()
    chains: TrustedChains = field(default_factory=TrustedChains)

    @classmethod
    def of(
        cls,
        settings: WitnessSettings,
        *,
        online: bool = False,
        roots: Sequence[Path] = (),
        policies: Sequence[str] = (),
    ) -> WitnessTrust:
        """Make the trust of settings and options.

        Args:
            online: ask the nodes of the settings; otherwise nothing is asked.
            roots: files with root certificates of authorities; of these only `policies` count, if some are named.

        Raises:
            InputError: if a file cannot be read, or a hash is none.
        """
        authorities = [
            TrustedAuthority(read_certificates(_pem(Path(it.certificate)), it.certificate), _one(it.policy))
            for it in settings.authorities
            if it.certificate
        ]
        authorities += [TrustedAuthority(read_certificates(_pem(it), str(it)), tuple(policies)) for it in roots]
        by_height = headers_of_file(Path(settings.headers), regtest=settings.regtest) if settings.headers else None
        bitcoin = TrustedHeaders(
            hashes=frozenset(map(normal_block_hash, settings.blocks)),
            by_height=by_height,
            node=headers_of_node(settings.node) if settings.node and online else None,
            regtest=settings.regtest,
        )
        places = {it.place: it.rpc for it in settings.chains}
        chains = TrustedChains(
            connect=_connecting({chain_id: rpc for (chain_id, _), rpc in places.items()} if online else {}),
            registries=frozenset(f"eip155:{chain_id}:{registry.lower()}" for chain_id, registry in places),
        )
        return cls(bitcoin=bitcoin, authorities=tuple(authorities), chains=chains)


def _connecting(nodes: dict[int, str]) -> Callable[[int], Chain | None]:
    known: dict[int, Chain] = {}

    def connect(chain_id: int) -> Chain | None:
        if chain_id in nodes and chain_id not in known:
            known[chain_id] = Chain.connect(nodes[chain_id])
        return known.get(chain_id)

    return connect


def _pem(path: Path) -> bytes:
    return read_limited(path, 1 << 20, "certificates")


def _one(policy: str) -> tuple[str, ...]:
    return (policy,) if policy else ()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {str(value)[:60]!r}")
    return value


def _texts(values: Any, *numbers: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise TypeError(f"expected an object, got {str(values)[:60]!r}")
    for name, value in values.items():
        if name in numbers and type(value) is not int:
            raise TypeError(f"expected a number for {name}, got {str(value)[:60]!r}")
        if name not in numbers:
            _text(value)
    return values
