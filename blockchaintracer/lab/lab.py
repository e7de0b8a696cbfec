"""The lab that an operation works for: its folder, its chain and registry, its key and its group.

What was chosen once on a chain is kept in the lab's settings for later commands, also while the chain is unavailable.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, overload

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.chain.registry import KeySource
from blockchaintracer.core.chain.reverts import in_words
from blockchaintracer.core.errors import ChainUnavailable, InputError, KeyStoreError, StoreError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.networks import DEVNET, NETWORKS, redact_url
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import GLOBAL_PREFIX, Domain, Role, checksummed, counted, label, normal_id
from blockchaintracer.lab.chain.questions import DEPTH, final_block, in_groups
from blockchaintracer.lab.deployments import forget_registries, registries
from blockchaintracer.lab.devnet import Devnet
from blockchaintracer.lab.files import locked, write_json
from blockchaintracer.lab.formats import HOME
from blockchaintracer.lab.keys import (
    COMMAND,
    KEY,
    PRIVATE_KEY,
    CheckedSigner,
    CommandSigner,
    EnvironmentSigner,
    KeyStore,
    Signer,
)
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import TOGETHER, Entry, Outbox, Transaction
from blockchaintracer.lab.store.hashcache import HashCache
from blockchaintracer.lab.store.store import Store

if TYPE_CHECKING:
    from blockchaintracer.lab.drafts import Draft, Recorded

    Committer = Callable[["Lab", Draft], Recorded]

DEVNET_KEY = "lab"
_DEVNET_FUNDS_WEI = 100 * 10**18
_AWAY_S = 5
_REACH_S = 2 * 3600
_REACH_POLL_S = 0.2
_REACH_MAX_POLL_S = 6.0
_SILENT = 5
_TOLD = 20
Until = Literal["stored", "included", "final"] | int
"""How far transactions must have come before an operation is over; a number counts blocks on top."""
_T = TypeVar("_T")


class cached_property(Generic[_T]):  # noqa: N801 -- as functools names it
    """``functools.cached_property`` of Python 3.12 and later. Before, all labs of a process shared one lock: one that
    waited for a chain stopped every other."""

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, lab: None, of: type) -> Self: ...

    @overload
    def __get__(self, lab: object, of: type) -> _T: ...

    def __get__(self, lab: object | None, of: type) -> Self | _T:
        if lab is None:
            return self
        return lab.__dict__.setdefault(self._make.__name__, self._make(lab))  # type: ignore[no-any-return]


@dataclass
class Lab:
    """Everything an operation needs; each part is made when it is first used.

    Args:
        key_name: name of a key in the keystore, path of a keystore file, or ``command:`` and a program that signs; None
            for what ``$BLOCKCHAINTRACER_KEY`` names, the key in ``$BLOCKCHAINTRACER_PRIVATE_KEY``, or the one chosen
            before, and on the devnet for a key made on first use.
        named_chain: id of the chain that the user chose; a node of another one is refused.
        only_known: refuse a node at `rpc` of a chain that was neither named nor written to by this lab: which chain a
            node is of is its own word, and a verifier chooses the chain.
        starts_devnet: start the embedded devnet if it is the chain and does not run.
        network_name: the name of the network, which is kept as the one in use when something is written.
        signer_given: a signer to use instead of a key in the keystore (an Ape account).
        committer: seals each record, or adds it to a batch, instead of sending it.
        holds: whether the committer has a record, by its id: others that it gets may name it as a parent.
        confirm: asks a person whether older transactions that wait are sent, too.
        flush_all: sends them without asking.
        hand_over: leaves all records in the outbox, for a later process to sign and send. Once the chain's id and the
            group are known, the chain is not asked for anything.
        keys: where else keys of a registry's records are kept, besides the lab's folder.
    """

    home: Home
    rpc: str | None = None
    connect: Callable[[], Chain] | None = None
    registry_address: str | None = None
    key_name: str | None = None
    signer_given: Signer | None = None
    group_number: int | None = None
    ask: Callable[[str], str] | None = None
    say: Callable[[str], None] = lambda message: None
    committer: Committer | None = None
    holds: Callable[[str], bool] = lambda record: False
    hand_over: bool = False
    confirm: Callable[[str], bool] | None = None
    flush_all: bool = False
    named_chain: int | None = None
    only_known: bool = False
    starts_devnet: bool = True
    network_name: str | None = None
    keys: list[Callable[[Domain], KeySource]] = field(default_factory=list)
    _key: str | None = field(default=None, init=False, repr=False)
    _handed_to: int | None = field(default=None, init=False, repr=False)
    _told: int = field(default=0, init=False, repr=False)
    _away: tuple[float, ChainUnavailable] | None = field(default=None, init=False, repr=False)

    # -- the folder

    @cached_property
    def store(self) -> Store:
        """The lab's content-addressed store."""
        return Store(self.home.store, cache=self.hashes)

    @cached_property
    def hashes(self) -> HashCache:
        """The digests of files that were hashed before."""
        return HashCache(self.home.hashes)

    @cached_property
    def outbox(self) -> Outbox:
        """The lab's journal of writes."""
        return Outbox(self.home.outbox)

    @cached_property
    def devnet(self) -> Devnet:
        """The lab's embedded chain."""
        return Devnet(self.home, notify=self.say)

    # -- the chain

    @cached_property
    def chain(self) -> Chain:
        """The chain, started if it's the devnet."""
        # a chain that hangs fails slowly, and one operation asks for it more than once
        if self._away and time.monotonic() - self._away[0] < _AWAY_S:
            raise self._away[1]
        from blockchaintracer.lab.chain.batching import connect

        try:
            chain = self.connect() if self.connect else connect(self.rpc or self._embedded())
        except ChainUnavailable as away:
            self._away = (time.monotonic(), away)
            raise
        self._require_chosen(chain.chain_id)
        return chain

    def _embedded(self) -> str:
        node = self.devnet.start() if self.starts_devnet else self.devnet.status()
        if node is None:
            hint = "`blockchaintracer node start` starts it; or name a chain: --network NAME."
            raise ChainUnavailable(
                "the lab's devnet is not running, and a command that only reads starts none", hint=hint
            )
        return node.url

    def _require_chosen(self, chain_id: int) -> None:
        if self.named_chain is None and not (self.only_known and self.rpc):
            return
        settings = self.settings() if self.named_chain is None else {}
        known = {str(self.named_chain), *(name.partition("@")[0] for name in settings.get("chains", {}))}
        known |= {*map(str, settings.get("nodes", {}).values())}
        if str(chain_id) not in known:
            chosen = "that this lab has written to" if self.named_chain is None else str(self.named_chain)
            raise InputError(
                f"expected a node of a chain {chosen}, got one of chain {chain_id}",
                hint=f"Name the chain that you mean beside --rpc: --chain-id {chain_id}, if it is this one.",
            )

    def hand_over_to_last(self) -> None:
        """Leave all records in the outbox, and ask no chain. Without a named chain or node they are for the chain that
        the lab wrote to last."""
        last = self.settings().get("last")
        self.connect, self.hand_over = _refuse_to_connect, True
        self._handed_to = self.named_chain or (last if self.rpc is None and isinstance(last, int) else None)

    def without_chain(self, chain_id: int) -> Self:
        """Act for a chain that is never asked."""
        self.connect, self.hand_over, self._handed_to = _refuse_to_connect, True, chain_id
        return self

    def prepare_hand_over(self) -> None:
        """Load everything that a record's id needs while the chain is available: later it is not asked."""
        _ = self.domain, self.signer.address, self.group(Role.RECORDER), self.store, self.outbox

    def reconnect(self) -> None:
        """Forget the connection: a devnet that was started again may have another port."""
        for name in ("chain", "registry"):
            self.__dict__.pop(name, None)

    @property
    def chain_id(self) -> int:
        """The chain's id; while the chain is unavailable, that of the named network, or the one that this very node had
        when the lab last wrote to it. What is meant for one chain must never wait for another."""
        if self._handed_to is not None:
            return self._handed_to
        try:
            number = self.chain.chain_id
        except ChainUnavailable:
            known = self.settings().get("nodes", {})
            named = [network.chain_id for network in NETWORKS if self.rpc and network.rpc == self.rpc]
            remembered = named[0] if named else known.get(node_name(self.rpc)) if self.rpc else None
            if self.is_embedded and DEVNET.chain_id in known.values():
                remembered = DEVNET.chain_id
            if not isinstance(remembered, int):
                raise
            number = remembered
        if self.hand_over:
            self._handed_to = number
        return number

    @property
    def on_devnet(self) -> bool:
        """Whether it's a devnet: this lab's or another's."""
        return self.chain_id == DEVNET.chain_id

    @property
    def is_embedded(self) -> bool:
        """Whether it's this lab's own devnet."""
        return self.rpc is None and self.connect is None

    @cached_property
    def registry(self) -> Registry:
        """The registry on the chain."""
        from blockchaintracer.lab.known_keys import kept_keys

        address = self._registry_address()
        noted = {entry.address.lower(): entry for entry in registries(self.chain_id, self.home)}.get(address.lower())
        if noted and noted.genesis:
            self._require_same_chain(address, noted.genesis)
        # an own devnet that was put back may have it again in an earlier block
        registry = Registry(self.chain, address, noted.block if noted and not self.is_embedded else 0)
        try:
            registry.require()
        except InputError as error:
            if noted and self.is_embedded:
                error.hint = "The devnet lost it: `blockchaintracer outbox flush` sends what this lab wrote again."
            raise
        kept = kept_keys(self.home, registry.domain, lambda: self.outbox)
        return registry.knowing(kept, *(source(registry.domain) for source in self.keys))

    def _require_same_chain(self, address: str, genesis: str) -> None:
        """Refuse a private chain that begins with another block than the one that the registry was deployed on."""
        network = self.chain.network
        if self.is_embedded or (network and not network.is_devnet):
            return
        with suppress(ChainUnavailable):
            first = self.chain.block(0)
            if first and first.hash != genesis:
                raise InputError(
                    f"{self.chain.address} is another chain {self.chain_id} than the one that the registry {address}"
                    f" was deployed on: its first block is {first.hash}, not {genesis}",
                    hint="The chain was reset, or the node is of another one: what was recorded is not there. Name a "
                    "node of the chain by --rpc, or begin anew on this one: `blockchaintracer deploy`.",
                )

    @property
    def domain(self) -> Domain:
        """The registry's EIP-712 domain; needs no connection."""
        # settings and deployments are not read again for each record
        known = self.__dict__.get("registry")
        return known.domain if known else Domain(self.chain_id, self._registry_address())

    def parse_id(self, text: str, what: str = "record id") -> str:
        """Read an id, alone or with the chain and registry, which must be this lab's: ``eip155:CHAIN:REGISTRY/ID``."""
        return self.domain.parse_id(text, what) if text.startswith(GLOBAL_PREFIX) else normal_id(text, what)

    def _registry_address(self) -> str:
        address = self.registry_address or self.registry_in_use()
        if address is None:
            raise InputError(
                f"no registry is known on chain {self.chain_id}",
                hint="`blockchaintracer record FILE` makes a private test chain with a registry and a group of yours. "
                "On another chain: `blockchaintracer deploy`, or name a registry (--registry ADDRESS).",
            )
        return checksummed(address, "a registry's address")

    def registry_in_use(self) -> str | None:
        """Return the registry that was chosen on the chain, or the last one known there, or None."""
        known: list[Any] = [entry.address for entry in registries(self.chain_id, self.home)]
        return self._chosen("registry") or (known[-1] if known else None)

    # -- who acts

    @cached_property
    def signer(self) -> Signer:
        """Who signs; each signature is checked before it is used."""
        return CheckedSigner(self.signer_given or self._chosen_signer())

    def _chosen_signer(self) -> Signer:
        given = self.key_name or os.environ.get(KEY)
        if given and given.startswith(COMMAND):
            # not kept: a settings file that came with somebody's repository must not start a program
            return CommandSigner(given.removeprefix(COMMAND))
        if given is None and PRIVATE_KEY in os.environ:
            return EnvironmentSigner()
        keys = KeyStore(self.home, self.ask)
        name = given or self._chosen("key")
        if name is None and len(only := keys.names()) == 1:
            name = only[0]
        if name is None and not self.on_devnet:
            raise InputError(
                "no signing key was chosen for this network",
                hint="Name one with --key NAME (`blockchaintracer keys create NAME` makes one), or use an Ape account.",
            )
        name = name or DEVNET_KEY
        signer = None
        if self.on_devnet and name not in keys.names() and not name.count("/"):
            try:
                signer = keys.create(name, devnet=True)
                self.say(f"made the key {name!r} for the devnet: {signer.address}")
            except KeyStoreError:
                # another process of this lab may have made it meanwhile
                if name not in keys.names():
                    raise
        self._key = name
        return signer or keys.signer(name)

    def fund_on_devnet(self) -> None:
        """Give the signer devnet coin, if it is the lab's own devnet and the signer has little."""
        if self.is_embedded and self.chain.balance(self.signer.address) < _DEVNET_FUNDS_WEI // 10:
            self.devnet.fund(self.signer.address, _DEVNET_FUNDS_WEI)

    def give_coin(self, address: str, wei: int) -> int:
        """Add coin to an address of a devnet, this lab's or one that others share. Returns its balance in wei."""
        if not self.on_devnet:
            raise InputError(
                f"expected a devnet, where coin is free, got {self.chain.name}", hint="Name one by --rpc, or none."
            )
        balance = self.chain.balance(address) + wei
        if self.is_embedded:
            self.devnet.fund(address, balance)
        else:
            self.chain.ask("anvil_setBalance", checksummed(address), hex(balance))
        return self.chain.balance(address)

    def group(self, role: Role | None = None) -> int:
        """Return the group to act for: named, chosen before, or the only one where the signer has `role`."""
        if self.group_number:
            return self.group_number
        choices, registry = self.choices(self.chain_id), self.domain.registry
        # a group of another registry may have the same number
        if choices.get("group") and choices.get("registry", registry).lower() == registry.lower():
            return int(choices["group"])
        role = role or Role.RECORDER
        now = self.chain.head().timestamp
        every = range(1, self.registry.last_group() + 1)
        held = in_groups(self.registry, every, self.signer.address)
        mine = [number for number, membership in zip(every, held, strict=True) if membership.holds(role, now)]
        if len(mine) != 1:
            node = f" --rpc {redact_url(self.rpc)}" if self.rpc and not self.network_name else ""
            raise InputError(
                f"{self.signer.address} is {label(role)} of {counted(len(mine), 'group')} here: {mine or 'none'}",
                hint=f"Name one with --group NUMBER, create one (`blockchaintracer group create NAME{node}`), "
                "or join one.",
            )
        if self.hand_over:
            self.group_number = mine[0]
        return mine[0]

    def choose(self, **values: Any) -> None:
        """Keep registry, key or group in the settings of this chain. A group is of the registry that was chosen."""
        chain_id = self.chain_id
        chosen = self.choices(chain_id)
        if chosen.get("group") and values.get("registry", chosen.get("registry")) != chosen.get("registry"):
            values = {"group": None} | values
        if chosen != chosen | values:
            with self.changed_settings() as settings:
                settings.setdefault("chains", {})[self._chosen_as(chain_id)] = self.choices(chain_id) | values

    # -- writing

    def enter(self, write: Transaction, manifest: bytes | None = None) -> Entry:
        """Enter a transaction into the outbox, and keep what it was written with as the choice for later commands.

        A command that only reads keeps nothing: it must not change where the next record goes.
        """
        entry = self.outbox.add_transaction(self.chain_id, write, self.signer.address, manifest)
        chosen = {"key": self._key, "registry": self.registry.address if "registry" in self.__dict__ else None}
        self.choose(**{name: value for name, value in chosen.items() if value is not None})
        if "chain" in self.__dict__ and not self.connect:
            nodes = {**self.settings().get("nodes", {}), node_name(self.rpc or self.chain.address): self.chain_id}
            known = {"last": self.chain_id, "nodes": nodes}
            known |= {"network": self.network_name} if self.network_name else {}
            if self.on_devnet:
                is_another = "@" in self._chosen_as(DEVNET.chain_id) and redact_url(str(self.rpc)) == self.rpc
                known["devnet"] = self.rpc if is_another else None
                if is_another and not self.network_name and self.settings().get("network") == DEVNET.name:
                    # later commands go where this one wrote, and not to the lab's own
                    known["network"] = None
            if self.settings() != self.settings() | known:
                with self.changed_settings() as settings:
                    settings.update(known)
        return entry

    def write(self, *writes: Transaction, check: bool = True) -> list[Entry]:
        """Enter transactions into the outbox and bring them into blocks; return their entries.

        With `check`, a single one that the registry would refuse is refused before anything is kept or paid.

        Raises:
            ContractRevert: if the registry refuses one.
            ChainUnavailable: the transactions wait in the outbox.
        """
        signer = self.signer
        if check and len(writes) == 1 and not writes[0].is_done(self.chain):
            self.fund_on_devnet()
            writes[0].check(self.chain, signer.address)
        self.send(entries=[self.enter(write) for write in writes])
        return [self.outbox.find_entry(self.chain_id, write) for write in writes]

    @contextmanager
    def committing(self, committer: Committer, holds: Callable[[str], bool] = lambda record: False) -> Iterator[None]:
        """Inside, `committer` gets what would be recorded, and `holds` says what it has."""
        before, self.committer, self.holds = (self.committer, self.holds), committer, holds
        try:
            yield
        finally:
            self.committer, self.holds = before

    def send(self, *record_ids: str, entries: Sequence[Entry] | None = None) -> list[Entry]:
        """Bring what this process entered, and all about these records, into blocks; return what moved.

        Older transactions that wait are told first. They are sent with `flush_all`, or if `confirm` says so.

        Args:
            entries: of what this process entered only these, and what they need.
        """
        self._prepare()
        only = None if entries is None else [entry.seq for entry in entries]
        needed = self.outbox.needed(self.chain, self.signer, record_ids, only)
        if fresh := self.outbox.older(self.chain, self.signer, needed, self._told):
            self._told = fresh[-1]
            self.say("\n".join(self._told_of(fresh)))
            self.flush_all = self.flush_all or bool(self.confirm and self.confirm("Send them, too?"))
            if not self.flush_all:
                self.say("They stay: `blockchaintracer outbox flush` or --flush-all sends them.")
        return self._flush(None if self.flush_all else needed)

    def flush(self, *, together: int = TOGETHER) -> list[Entry]:
        """Bring everything of this signer that waits into blocks; return what moved.

        Args:
            together: records that go in one transaction at most.
        """
        self._prepare()
        return self._flush(None, together)

    def _prepare(self) -> None:
        self.outbox.store_captured(self.store.put_bytes)
        self.fund_on_devnet()
        if lost := self._lost():
            self.say(f"the chain lost {counted(len(lost), 'write')} of this lab: what it lost is sent again")

    def _lost(self) -> list[Entry]:
        number, here = str(self.chain_id), self._chosen_as(self.chain_id)
        known = [name for name in self.settings().get("chains", {}) if name.partition("@")[0] == number]
        self.outbox.has_several = any(name != here for name in known)
        return self.outbox.recheck(self.chain)

    def _flush(self, only: Collection[int] | None, together: int = TOGETHER) -> list[Entry]:
        moved = self.outbox.flush(self.chain, self.signer, only=only, together=together)
        if self.is_embedded and self.outbox.unsettled(self.chain_id):
            # a chain that makes blocks only on demand finalises nothing by itself
            self.devnet.finalize()
            self.devnet.persist()
            self.outbox.settle(self.chain)
        return moved

    def _told_of(self, older: list[int]) -> Iterator[str]:
        verb = "waits" if len(older) == 1 else "wait"
        yield f"{counted(len(older), 'older write')} of {self.signer.address} {verb} for {self.chain.name}:"
        for entry in self.outbox.pending_of(self.chain, self.signer, older[:_TOLD]):
            key, cost = entry.write.fields.get("key"), self.outbox.cost(entry, self.chain)
            group = key.group if key else entry.write.fields.get("group", "-")
            price = "no price to be had" if cost is None else f"up to {cost / 10**18:.6f} of the chain's coin"
            yield f"  {entry.write.op} {(entry.write.record_id or '')[:16]} of group {group}: {price}"
        if len(older) > _TOLD:
            yield f"  and {len(older) - _TOLD} more: `blockchaintracer outbox list --waiting`"

    def reach(self, until: Until) -> None:
        """Wait until everything in a block is final, or has that many blocks on top. What the chain loses is sent
        again.

        Raises:
            ContractRevert: if what was lost is refused now.
            ChainUnavailable: after two hours, or where the chain does not say what is final.
        """
        if until in ("stored", "included"):
            return
        deadline, pause, silent, told = time.monotonic() + _REACH_S, _REACH_POLL_S, 0, False
        while True:
            try:
                if self.outbox.pending(self.chain_id) or self._lost():
                    self.send()
                self.outbox.settle(self.chain)
                head, (final, by_depth) = self.chain.head(), final_block(self.chain)
                if by_depth and until == "final" and not told:
                    told = True
                    self.say(f"{self.chain.address} does not say which blocks are final: waiting for {DEPTH} blocks")
                included = self.outbox.here(self.outbox.unsettled(self.chain_id), self.chain)
                if isinstance(until, int):
                    included = [entry for entry in included if entry.block and head.number - entry.block.number < until]
                if not included:
                    return
                silent = silent + 1 if final is None and until == "final" and not by_depth else 0
            except ChainUnavailable:
                if time.monotonic() > deadline:
                    raise
            if silent > _SILENT:
                raise ChainUnavailable(
                    f"{self.chain.address} does not say which blocks are final",
                    hint="Wait for a number of blocks instead: --wait 64.",
                )
            if time.monotonic() > deadline:
                raise ChainUnavailable(
                    f"{counted(len(included), 'write')} in blocks and not final after {_REACH_S // 3600} hours",
                    hint="They stay in the outbox; any later command looks again.",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, _REACH_MAX_POLL_S)

    # -- settings

    def settings(self) -> dict[str, Any]:
        """Return what was chosen on each chain: registry, key and group."""
        try:
            data: dict[str, Any] = parse_json(self.home.settings.read_bytes(), self.home.settings.name)
            if not isinstance(data, dict):
                raise ValueError("no JSON object")
            HOME.check_version(data.get("version", HOME.version), str(self.home.settings))
            if not isinstance(chains := data.get("chains", {}), dict) or not all(
                isinstance(choices, dict) for choices in chains.values()
            ):
                raise ValueError("chains that are none")
            if not isinstance(data.get("nodes", {}), dict):
                raise ValueError("nodes that are none")
            if not isinstance(added := data.get("networks", {}), dict) or not all(
                isinstance(one, dict) and {"chainId", "rpc"} <= one.keys() for one in added.values()
            ):
                raise ValueError("networks that are none")
        except FileNotFoundError:
            return {}
        except UnknownVersion:
            raise
        except (OSError, ValueError, InputError) as error:
            raise StoreError(
                f"expected the lab's settings in {self.home.settings}, got: {error}", hint="Mend or delete the file."
            ) from error
        return data

    def choices(self, chain_id: int) -> dict[str, Any]:
        """Return what was chosen on a chain of registry, key and group."""
        chains = self.settings().get("chains", {})
        own = chains.get(str(chain_id), {})
        # the lab's own devnet may have another address, and has the same registry then
        is_own = self.registry_address in (None, own.get("registry"))
        return dict(chains.get(self._chosen_as(chain_id), own if is_own else {}))

    def _chosen_as(self, chain_id: int) -> str:
        """Name a chain in the settings. All devnets have one id, so another lab's is named with its node."""
        is_another = chain_id == DEVNET.chain_id and self.rpc and not self.devnet.runs_at(self.rpc)
        return f"{chain_id}@{node_name(str(self.rpc))}" if is_another else str(chain_id)

    def _chosen(self, name: str) -> Any:
        return self.choices(self.chain_id).get(name)

    @contextmanager
    def changed_settings(self) -> Iterator[dict[str, Any]]:
        """Give the settings to change, read and written under a lock, so that no process loses what it chose."""
        path = self.home.settings
        try:
            with locked(path.with_suffix(".lock")):
                settings = {"version": HOME.version, **self.settings()}
                yield settings
                write_json(path, settings, problem=f"the lab's settings {path} can't be written")
        except OSError as error:
            raise StoreError(f"the lab's settings {path} can't be written: {error.strerror}") from error


def _refuse_to_connect() -> Chain:
    raise ChainUnavailable("the chain is not asked here")


def node_name(rpc: str) -> str:
    """Return what the settings call a node. Its address may hold a key, so it is a digest."""
    return sha256(rpc.encode()).hexdigest()[:16]


def require_role(lab: Lab, group: int, role: Role) -> None:
    """Refuse what the registry would refuse because the signer lacks a role."""
    account = lab.signer.address
    if not lab.registry.membership(group, account).holds(role, lab.chain.head().timestamp):
        raise in_words("MissingRole", {"group": group, "account": account, "role": int(role)})


def roles_of(names: Iterable[str]) -> Role:
    """Return roles by their names."""
    roles = Role(0)
    for name in names:
        try:
            roles |= Role[name.strip().upper()]
        except KeyError:
            known = ", ".join(label(role) for role in Role)
            raise InputError(f"expected a role, got {name!r}", hint=f"Use {known}.") from None
    return roles


def waiting_on_devnet(lab: Lab) -> list[str]:
    """Name what a reset of the devnet drops before it reached the chain: writes that wait, and open batches."""
    waiting = [
        f"{entry.write.op} {entry.write.record_id or ''}".strip()
        for entry in lab.outbox.pending(DEVNET.chain_id, failed=True)
    ]
    batched = sorted(lab.home.batches.glob(f"{DEVNET.chain_id}-*/open/*.json"))
    return waiting + [f"record {file.stem} in an open batch" for file in batched]


def reset_devnet(lab: Lab) -> None:
    """Delete the chain of the devnet, and what the lab's folder holds of it: writes, registries and choices."""
    lab.devnet.reset()
    lab.outbox.forget_chain(DEVNET.chain_id)
    forget_registries(DEVNET.chain_id, lab.home)
    if lab.choices(DEVNET.chain_id):
        with lab.changed_settings() as settings:
            settings.get("chains", {}).pop(str(DEVNET.chain_id), None)
