"""What drives each write: captured -> stored -> signed -> submitted -> included -> final, or failed.

Its rules: a transaction enters the journal before anything is signed. The signed one is kept before it is sent. Nothing
is sent while the chain shows the effect already. What was signed once is sent again as it is, or with a higher fee
under the same nonce, until that nonce is used. So every step can be repeated, and the process may die between any two.

Records go many at a time: several in one transaction, and several transactions under consecutive nonces. The journal is
locked while a process signs and sends, not while it waits for a block. Everything else waits for what is before it.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Block, Chain, Registry, TransactionReceipt
from blockchaintracer.core.errors import (
    BlockchainTracerError,
    ChainUnavailable,
    ContractRevert,
    InputError,
    NodeError,
    StoreError,
)
from blockchaintracer.core.networks import is_private
from blockchaintracer.core.record import checksummed, counted, keccak, to_hex
from blockchaintracer.lab.chain.gas_price import gas_price, offer
from blockchaintracer.lab.chain.questions import block_gas, estimate_gas, final_block, require_same, send
from blockchaintracer.lab.chain.receipts import BlockReceipts, prove_inclusion
from blockchaintracer.lab.keys import Signer
from blockchaintracer.lab.keys.signer import decode_signed
from blockchaintracer.lab.outbox.journal import PENDING, Entry, EntryState, Journal
from blockchaintracer.lab.outbox.transactions import STORING, Op, Overtaken, call_of

MAX_COST = "BLOCKCHAINTRACER_MAX_COST"
"""Environment variable: what one transaction may cost at most, in the chain's coin."""
_MAX_COST_WEI = 2 * 10**17
TOGETHER = 400
"""Records in one transaction at most."""
_IN_FLIGHT = 16
"""Transactions of one key that wait for a block together: so many geth and reth keep for every account (geth has 64
slots more for those behind a gap, and none is made here)."""
_MOST_BYTES = 120_000
"""Of calldata: nodes take transactions of 128 KiB."""
_MOST_GAS = 1 << 24
"""Of a transaction (EIP-7825)."""
_WAIT_S = 180
_POLL_S = 0.05
_MAX_POLL_S = 2.0
_STUCK_S = 30
_STUCK_BLOCKS = 3
_CONFLICTS = 20
_RECEIPTS = 100
"""so many are kept by one flush"""
_log = logging.getLogger(__name__)
_KNOWN = ("already known", "already imported", "known transaction", "alreadyknown")
_NONCE_USED = ("nonce too low", "nonce is too low", "noncetoolow", "invalid nonce", "oldnonce")
_UNDERPRICED = ("underpriced", "fee too low", "less than block base fee", "feetoolow", "below base fee", "fee cap")
_TOO_LARGE = ("oversized", "too large", "gas limit")
_LACKING = (
    "chain_id = ? AND state IN ('included', 'final') AND tx NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM receipts AS kept"
    " WHERE kept.seq = entries.seq AND kept.block_hash = entries.block_hash)"
    " AND seq = (SELECT min(seq) FROM entries AS same WHERE same.tx = entries.tx)"
)
"""One entry of each transaction whose receipt is not kept."""


class _NonceTaken(Exception):
    """The nonce of these entries belongs to another transaction of the same key."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__()
        self.entries = entries


class _Underpriced(Exception):
    """The node wants a higher fee for it."""


class Outbox(Journal):
    """The queue of one lab.

    Args:
        wait_s: seconds to wait for one transaction to reach a block.
        stuck_s: seconds after which it is sent again with a higher fee; by default from the chain's block time.
    """

    def __init__(self, path: Path, *, wait_s: float = _WAIT_S, stuck_s: float | None = None) -> None:
        super().__init__(path)
        self.wait_s = wait_s
        self.stuck_s = stuck_s
        self.has_several = False
        """whether the lab writes to several devnets, which all have one chain id"""
        self._tip: int | None = None
        self._apart: set[int] = set()

    def cost(self, entry: Entry, chain: Chain) -> int | None:
        """Return what a transaction may cost at most now, in wei; None if that can't be told."""
        try:
            to, data = entry.write.call(chain)
            value = entry.write.value(chain)
            call = {"from": entry.sender, "to": to, "data": data, "value": value}
            return estimate_gas(chain, call) * 5 // 4 * gas_price(chain, self._tip).most + value
        except Exception:  # a stranger may have written it: the encoders let their own errors through
            return None

    def flush(
        self, chain: Chain, signer: Signer, *, only: Collection[int] | None = None, together: int = TOGETHER
    ) -> list[Entry]:
        """Bring every pending transaction of this signer into a block, in order; return those that moved.

        What a reorganised or restored chain lost is sent again first.

        Args:
            only: numbers of the entries to bring; the others stay.
            together: records that go in one transaction at most.

        Raises:
            ContractRevert: if the registry refuses one; it is marked failed with the reason, those behind it wait.
            Overtaken: if somebody else changed the same thing first; as above.
            ChainUnavailable: everything stays where it was.
        """
        self._tip, self._apart, tries = None, set(), 0
        require_same(chain)
        with self._turn():
            self.recheck(chain)
        moved = waiting = self.pending_of(chain, signer, only)
        while waiting:
            wave = list(takewhile(lambda entry: entry.write.op in STORING, waiting[: _IN_FLIGHT * together]))
            self._bring(wave or waiting[:1], chain, signer, together)
            left = {entry.seq for entry in self.again(waiting, PENDING)}
            tries = tries + 1 if len(left) == len(waiting) else 0
            if tries == _CONFLICTS:
                raise ChainUnavailable(
                    f"{_CONFLICTS} times in a row another transaction of {signer.address} was faster",
                    hint="Others send with the same key: it stays in the outbox, any later command tries again.",
                )
            if tries:
                time.sleep(min(_POLL_S * 2**tries, _MAX_POLL_S))
            waiting = [entry for entry in waiting if entry.seq in left]
        self.settle(chain)
        self._keep_receipts(chain)
        return self.again(moved)

    def recheck(self, chain: Chain) -> list[Entry]:
        """Put back what the chain no longer holds; return it, the newest first. Look at everything that is not final,
        and at the newest that is: a private chain can be set back.
        """
        seen: dict[int, Block | None] = {}
        lost = [entry for entry in self.unsettled(chain.chain_id) if not self._is_held(entry, chain, seen)]
        lost += takewhile(lambda entry: not self._is_held(entry, chain, seen), self._newest_final(chain.chain_id))
        lost = self.here(lost, chain)
        shared: dict[str | None, list[Entry]] = {}
        for entry in lost:
            shared.setdefault(entry.transaction or str(entry.seq), []).append(entry)
        for entries in shared.values():
            # the same signed transaction is sent again: it can't happen twice
            entries.sort(key=lambda entry: (entry.raw is None, entry.seq))
            raw = None if entries[0].write.presigned else entries[0].raw
            tx, state = (_hash(raw), EntryState.SIGNED) if raw else (None, EntryState.STORED)
            self._update(entries, state, raw=raw, tx=tx, block=None, error=None)
        return sorted(lost, key=lambda entry: entry.seq, reverse=True)

    def here(self, entries: Sequence[Entry], chain: Chain) -> list[Entry]:
        """Return those whose contract is on this chain, and not on another devnet of the lab: these are not lost."""
        of = {entry.write.registry: entry.write for entry in entries if self.has_several}
        elsewhere = {place for place, write in of.items() if not write.has_event or not chain.has_code(place)}
        return [entry for entry in entries if entry.write.registry not in elsewhere]

    def _is_held(self, entry: Entry, chain: Chain, seen: dict[int, Block | None]) -> bool:
        if entry.block is None:
            return False
        number = entry.block.number
        if number not in seen:
            seen[number] = chain.remembered(lambda: chain.block(number))
        block = seen[number]
        if block is None and number <= chain.head().number:
            # the node has forgotten it: the state says whether it stands
            return entry.state is EntryState.FINAL or entry.write.is_done(chain)
        if block is None and chain.network and not chain.network.is_devnet:
            # a public chain does not get shorter: the node is behind, and sending again might pay twice
            raise ChainUnavailable(
                f"{chain.address} does not have the block yet that holds {entry.write.op} of this lab",
                hint="The node is behind: try again, or another node. What is stored here waits.",
            )
        return block is not None and block.hash == entry.block.hash

    def settle(self, chain: Chain) -> None:
        """Mark as final what is in or before the newest final block, and still there; its note says if by depth."""
        final, note = final_block(chain)
        if final is None:
            return
        seen: dict[int, Block | None] = {}
        settled = [
            entry
            for entry in self.unsettled(chain.chain_id)
            if entry.block and entry.block.number <= final.number and self._is_held(entry, chain, seen)
        ]
        if settled:
            self._update(settled, EntryState.FINAL, error=note)

    # -- several at a time

    def _bring(self, wave: Sequence[Entry], chain: Chain, signer: Signer, together: int) -> None:
        """Send of these entries what can be sent now, and wait until blocks hold it."""
        with self._turn():
            flight = self._offer_all(self.again(wave, PENDING), chain, signer, together)
        refusal: BlockchainTracerError | None = None
        for number, entries in enumerate(flight):
            try:
                self._wait(entries, chain, signer, flight[number + 1 :])
            except _NonceTaken as taken:
                with self._turn():
                    self._give_up(taken.entries)
            except (ContractRevert, InputError) as error:
                refusal = refusal or error
        if refusal:
            raise refusal

    def _give_up(self, entries: Sequence[Entry]) -> None:
        """Another process or machine with this key used the nonce: what was signed can no longer be included."""
        if waiting := self._fresh(entries):
            self._update(waiting, EntryState.STORED, raw=None, nonce=None)

    def _fresh(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that still wait under one nonce, as they are now: another process may have signed or found them."""
        now = self.again(entries, "state IN ('signed', 'submitted')")
        return [entry for entry in now if entry.nonce == entries[0].nonce]

    def _offer_all(self, entries: list[Entry], chain: Chain, signer: Signer, together: int) -> list[list[Entry]]:
        """Sign and send in order until so many are in flight, or one is refused: what may rest on those in flight is
        tried again once they are in blocks. Refused with none in flight, it is an error."""
        flight: list[list[Entry]] = []
        try:
            used, known = chain.nonce(signer.address), chain.nonce(signer.address, "pending")
            waiting = self._undone(entries, chain)
            for shared in _signed(waiting):
                nonce = shared[0].nonce or 0
                if nonce < used:
                    # if it was their own, its effect would have been seen: a receipt says that a node is behind
                    if any(chain.receipt(transaction) for transaction in _transactions(shared[0])):
                        flight.append(shared)
                elif nonce <= max(known, _after(flight)) or not self._is_missing(chain):
                    is_known = shared[0].state is EntryState.SUBMITTED and nonce < known
                    flight.append(self._offer(shared, chain, signer, is_known=is_known))
            flying = {entry.seq for shared in flight for entry in shared}
            unsigned = deque(entry for entry in waiting if entry.seq not in flying)
            while unsigned and len(flight) < _IN_FLIGHT:
                ids = {entry.write.record_id for shared in flight for entry in shared}
                if not (first := self._first(unsigned, ids if flight else set(), together)):
                    break
                shared = self._offer(self._sign(first, chain, signer, flight), chain, signer)
                flight.append(shared)
                for _ in shared:
                    unsigned.popleft()
        except _NonceTaken as taken:
            self._give_up(taken.entries)
        except BlockchainTracerError:
            if not flight:
                raise
        return flight

    def _first(self, waiting: Collection[Entry], flying: Collection[str | None], together: int) -> list[Entry]:
        """The first entries that one transaction can bring: records of one registry, none with a parent in flight."""
        first: list[Entry] = []
        size = 0
        for entry in waiting:
            write = entry.write
            key = write.fields.get("key")
            if flying and key and any(link.parent in flying for link in key.parents):
                break
            joins = write.op is Op.RECORD and entry.seq not in self._apart
            size += write.size if joins else 0
            if first and (
                not joins or len(first) >= together or size > _MOST_BYTES or write.registry != first[0].write.registry
            ):
                break
            first.append(entry)
            if not joins:
                break
        return first

    def _undone(self, entries: list[Entry], chain: Chain) -> list[Entry]:
        """Those whose effect the chain does not show; the others are noted as found."""
        done = self._done(entries, chain)
        for entry, is_done in zip(entries, done, strict=True):
            if is_done:
                self._found(entry, chain)
        return [entry for entry, is_done in zip(entries, done, strict=True) if not is_done]

    def _done(self, entries: Sequence[Entry], chain: Chain) -> list[bool]:
        if len(entries) == 1 or any(entry.write.op not in STORING for entry in entries):
            return [self._is_done(entry, chain) for entry in entries]
        stored: dict[tuple[str, str | None], bool] = {}
        for registry in {entry.write.registry for entry in entries}:
            ids = [entry.write["record_id"] for entry in entries if entry.write.registry == registry]
            statuses = Registry(chain, registry).statuses(ids)
            stored |= {(registry, it): status.exists for it, status in zip(ids, statuses, strict=True)}
        return [stored[entry.write.registry, entry.write.record_id] for entry in entries]

    def _is_done(self, entry: Entry, chain: Chain) -> bool:
        try:
            return entry.write.is_done(chain)
        except Overtaken as error:
            # otherwise it would block everything behind it for good
            self._update([entry], EntryState.FAILED, error=error.message)
            raise

    def _is_missing(self, chain: Chain) -> bool:
        """Whether the chain has lost the transactions before one; a node that is behind doesn't know them yet."""
        newest = self._rows("SELECT max(block_number) FROM entries WHERE chain_id = ?", chain.chain_id)[0][0]
        if chain.network and not chain.network.is_devnet and chain.head().number < (newest or 0):
            raise ChainUnavailable(
                f"{chain.address} is behind: it lacks block {newest}, which this lab has seen",
                hint="Try again, or another node. What is stored here waits.",
            )
        return True

    # -- one transaction, of one entry or of several

    def _offer(self, entries: list[Entry], chain: Chain, signer: Signer, *, is_known: bool = False) -> list[Entry]:
        """Send what was signed, at a price that can pass. What the node has is sent only if its price can't."""
        if self._is_too_cheap(entries[0], chain):
            entries = self._reprice(entries, chain, signer)
        elif is_known:
            return entries
        for _ in range(_CONFLICTS):
            try:
                self._send(entries, chain)
                return self._update(entries, EntryState.SUBMITTED)
            except _Underpriced:
                is_mine = any(chain.transaction(transaction) is not None for transaction in _transactions(entries[0]))
                if not is_mine and chain.nonce(signer.address, "pending") > (entries[0].nonce or 0):
                    raise _NonceTaken(entries) from None
                entries = self._reprice(entries, chain, signer)
        raise ChainUnavailable(
            f"{chain.address} takes {entries[0].write.op} at no price that it names itself",
            hint="It is signed and kept: try again later, or another node.",
        )

    def _sign(
        self, entries: Sequence[Entry], chain: Chain, signer: Signer, flight: Sequence[Sequence[Entry]]
    ) -> list[Entry]:
        """Sign one transaction for the first of these entries: as many as the chain, the node and the purse take."""
        while True:
            try:
                return self._sign_all(entries, chain, signer, flight)
            except BlockchainTracerError as error:
                is_away = isinstance(error, ChainUnavailable) and not isinstance(error, NodeError)
                if len(entries) == 1 or is_away or isinstance(error, StoreError):
                    raise
                entries = entries[: len(entries) // 2]

    def _sign_all(
        self, entries: Sequence[Entry], chain: Chain, signer: Signer, flight: Sequence[Sequence[Entry]]
    ) -> list[Entry]:
        write, is_alone = entries[0].write, len(entries) == 1
        if write.presigned:
            # its price is fixed and may be far above the market, which the node then suggests for what comes behind
            self._tip = gas_price(chain).tip
        try:
            if is_alone:
                write.check(chain, signer.address)
            if raw := write.presigned:
                return self._update(entries, EntryState.SIGNED, raw=raw, tx=_hash(raw))
            to, data = call_of([entry.write for entry in entries], chain)
            value = write.value(chain)
            nonce = max(chain.nonce(signer.address, "pending"), _after(flight))
            call = {"from": signer.address, "to": to, "data": data, "value": value}
            least = estimate_gas(chain, call) if chain.balance(signer.address) else 0
        except (ContractRevert, InputError) as error:
            if not is_alone:
                raise
            on_its_way = isinstance(error, ContractRevert) and error.name == "RecordExists"
            if on_its_way or self._is_done(entries[0], chain):
                # somebody else was faster by a moment, or will be: nodes estimate with what waits for the next block
                raise _NonceTaken(entries) from None
            if not flight:
                self._update(entries, EntryState.FAILED, error=error.message)
            raise

        gas = max(least, min(least * 5 // 4, _MOST_GAS))
        if not is_alone:
            # what several take changes with nothing but their number, and a block has others in it
            gas, most = least * 9 // 8, min(_MOST_GAS, (block_gas(chain) or 2 * _MOST_GAS) // 2)
            if gas > most:
                raise InputError(f"{counted(len(entries), 'record')} would take {gas:,} gas, and at most {most:,} fit")
        if gas > (write.most_gas or gas):
            reason = f"{write.op} may take {gas:,} gas, and at most {write.most_gas:,} are paid for another"
            self._update(entries, EntryState.FAILED, error=reason)
            raise InputError(reason, hint="Nothing was sent. The account's contract burns gas to check its signature.")
        transaction = {
            "chainId": chain.chain_id,
            "nonce": nonce,
            "to": to,
            "data": data,
            "value": value,
            "gas": gas,
            **gas_price(chain, self._tip).fields(),
        }
        return self._signed(entries, transaction, chain, signer)

    def _reprice(self, entries: Sequence[Entry], chain: Chain, signer: Signer) -> list[Entry]:
        """The same transaction under the same nonce at the market's price, and at least 12.5% above its own."""
        raw = entries[0].raw
        if entries[0].write.presigned or raw is None:
            raise ChainUnavailable(
                f"{chain.address} does not take {entries[0].write.op} at its fixed price now",
                hint="It stays in the outbox: try again when the chain is cheaper.",
            )
        old = decode_signed(raw)
        transaction = {
            "chainId": chain.chain_id,
            **{name: old[name] for name in ("nonce", "value", "gas")},
            "to": checksummed(to_hex(old["to"]), "a transaction's address"),
            "data": to_hex(old["data"]),
            **gas_price(chain, self._tip).fields(replaced=old),
        }
        return self._signed(entries, transaction, chain, signer)

    def _signed(
        self, entries: Sequence[Entry], transaction: dict[str, Any], chain: Chain, signer: Signer
    ) -> list[Entry]:
        balance = chain.balance(signer.address)
        cost = transaction["gas"] * offer(transaction)[1] + transaction["value"]
        most = _most_wei()
        # what a bounty is funded with was agreed to by its amount
        if cost - entries[0].write.fields.get("wei", 0) > most:
            raise BlockchainTracerError(
                f"one transaction on {chain.name} would cost up to {cost / 10**18:.6f} of its coin, and at most "
                f"{most / 10**18} is allowed",
                hint=f"Wait until it's cheaper, ask another node, or allow more: ${MAX_COST}=0.5, in the chain's coin.",
            )
        if not balance:
            fund = "Send it some"
            if is_private(chain.chain_id):
                fund = f"`blockchaintracer node fund {signer.address} --rpc {chain.address}` gives it some"
            raise BlockchainTracerError(
                f"{signer.address} has no coin on {chain.name}, and a transaction costs some",
                hint=f"{fund} coin of this chain, act with a key that has some (--key NAME), or let another send what "
                "you sign (`blockchaintracer outbox sign FILE`: records and verdicts); what is stored here waits.",
                address=signer.address,
                balance="0",
            )
        if balance < cost:
            raise BlockchainTracerError(
                f"{signer.address} has {balance} wei on {chain.name} and this may cost up to {cost} wei",
                hint="Send it some coin of this chain; what is stored here waits.",
                address=signer.address,
                balance=str(balance),
            )
        raw = signer.sign_transaction(transaction)
        before = [*entries[0].replaced, *([entries[0].transaction] if entries[0].transaction else [])]
        return self._update(
            entries,
            EntryState.SIGNED,
            raw=raw,
            nonce=transaction["nonce"],
            tx=_hash(raw),
            replaced=" ".join(dict.fromkeys(before)),
        )

    def _is_too_cheap(self, entry: Entry, chain: Chain) -> bool:
        if entry.write.presigned or entry.raw is None:
            return False
        return not gas_price(chain, self._tip).covers_next_block(decode_signed(entry.raw))

    def _send(self, entries: Sequence[Entry], chain: Chain) -> None:
        try:
            send(chain, entries[0].raw or b"")
        except ChainUnavailable as error:
            answer = error.reason.lower() if isinstance(error, NodeError) else ""
            # the nonce is used by this very transaction, if an answer was lost, or by another: the wait finds out.
            # The node has it already if it was sent before the process died.
            if any(words in answer for words in (*_NONCE_USED, *_KNOWN)):
                return
            if any(words in answer for words in _UNDERPRICED):
                raise _Underpriced from None
            if len(entries) > 1 and any(words in answer for words in _TOO_LARGE):
                # this node takes less than others
                self._apart |= {entry.seq for entry in entries}
                raise _NonceTaken(entries) from None
            # refused for what it did before: the proxy's signer has no coin left once the proxy is there
            if answer and all(self._done(entries, chain)):
                raise _NonceTaken(entries) from None
            raise ChainUnavailable(error.message, hint="It is signed and kept; the next flush sends it.") from None

    def _wait(self, entries: list[Entry], chain: Chain, signer: Signer, behind: Sequence[Sequence[Entry]] = ()) -> None:
        """Until a block holds one of the entries' transactions and the chain shows what it did.

        Args:
            behind: what is in flight under the next nonces: what the node has lost of it is sent again.
        """
        deadline = time.monotonic() + self.wait_s
        began, pause, shown, absent, is_resent = time.monotonic(), _POLL_S, False, 0, False
        patience = self.stuck_s
        if patience is None:
            patience = max(_STUCK_S, _STUCK_BLOCKS * chain.network.block_time_s if chain.network else 0)
        while True:
            for transaction in _transactions(entries[0]):
                receipt = chain.receipt(transaction)
                if receipt is None:
                    continue
                shown = True
                if self._held(entries, chain, signer, transaction, receipt):
                    return
            nonce = entries[0].nonce
            if nonce is not None:
                used = not shown and chain.nonce(signer.address) > nonce
                if not (fresh := self._fresh(entries)):
                    # another process found them, or gave them up
                    return
                began = began if fresh[0].transaction == entries[0].transaction else time.monotonic()
                entries = fresh
                # asked twice: of several nodes behind one address, one can have a block that another doesn't have yet
                absent = absent + 1 if used else 0
                if absent > 1:
                    raise _NonceTaken(entries)
            now = time.monotonic()
            if now > deadline:
                name = entries[0].transaction
                raise ChainUnavailable(
                    f"{chain.address} gave a receipt for {name}, but the chain doesn't show its effect"
                    if shown
                    else f"transaction {name} is in no block after {self.wait_s:.0f} s",
                    hint="It stays in the outbox; any later command looks again.",
                )
            if nonce is not None and now - began > patience and not shown:
                with self._turn():
                    entries, began = self._fresh(entries) or entries, now
                    # a node that lost it gets it again as it is, once: it may only hide it
                    is_resent = not is_resent and not any(map(chain.transaction, _transactions(entries[0])))
                    if not is_resent:
                        entries = self._reprice(entries, chain, signer)
                    entries = self._offer(entries, chain, signer)
                    for others in behind:
                        if (fresh := self._fresh(others)) and not any(map(chain.transaction, _transactions(fresh[0]))):
                            self._offer(fresh, chain, signer)
            time.sleep(pause)
            pause = min(pause * 1.5, _MAX_POLL_S)

    def _held(
        self, entries: Sequence[Entry], chain: Chain, signer: Signer, transaction: str, receipt: TransactionReceipt
    ) -> bool:
        """Note what a receipt came to; False while the chain doesn't show what it says: a node may lie, or be
        behind."""
        block = chain.block(receipt.block)
        if block is None or block.hash != receipt.block_hash:
            return False
        done = self._done(entries, chain)
        if receipt.succeeded:
            if not all(done):
                return False
            told = {topic for log in receipt.logs for topic in log.topics}
            # what others had stored by then is left out
            own = [entry for entry in entries if len(entries) == 1 or entry.write.record_id in told]
            for entry in entries:
                if entry not in own:
                    self._found(entry, chain)
            if own:
                self._update(own, EntryState.INCLUDED, tx=transaction, block=block)
            return True
        if not all(done) and entries[0].nonce is not None and chain.nonce(signer.address) <= entries[0].nonce:
            return False
        # another process may have seen this refusal too, and have signed them again by now
        with self._turn():
            # what is there, somebody else made first
            undone = self._undone(self._fresh(entries), chain)
            if len(entries) > 1 and undone:
                # one of them, and nobody knows which: each goes by itself
                self._apart |= {entry.seq for entry in undone}
                self._update(undone, EntryState.STORED, raw=None, nonce=None, tx=None, replaced="")
            elif undone:
                self._refused(undone[0], chain)
        return True

    def _found(self, entry: Entry, chain: Chain) -> None:
        """The effect is there: by this entry's own transaction, or by somebody who relayed it."""
        event, transaction = entry.write.event(chain), entry.transaction
        if event is not None:
            transaction, number = event.transaction, event.block
        elif entry.write.has_event:
            raise ChainUnavailable(
                f"{chain.address} shows the effect of {entry.write.op} but not its event",
                hint="The node is catching up or answers differently from call to call: try again, or another node.",
            )
        elif transaction and (receipt := chain.receipt(transaction)) and receipt.succeeded:
            number = receipt.block
        else:
            # nothing says where somebody else made it: it stands as long as the block in which it was seen
            transaction, number = None, chain.head().number
        block = chain.block(number)
        if block is None or not entry.write.is_done(chain):
            raise ChainUnavailable(
                f"{chain.address} gave a receipt for {transaction}, but the chain doesn't show its effect",
                hint="The node is behind, or the chain was reorganised: any later command looks again.",
            )
        self._update([entry], EntryState.INCLUDED, tx=transaction, block=block)

    def _refused(self, entry: Entry, chain: Chain) -> None:
        try:
            entry.write.check(chain, entry.sender)
            message = "it was refused on the chain, though it would pass now: try again"
        except ContractRevert as error:
            message = error.message
        self._update([entry], EntryState.FAILED, error=message)
        raise ContractRevert("Reverted", {"transaction": entry.transaction}, message)

    def _keep_receipts(self, chain: Chain) -> None:
        """Keep what proves that blocks hold the transactions: nodes forget it. What a node does not give now is asked
        for again by the next flush."""
        newest = f"seq IN (SELECT seq FROM entries WHERE {_LACKING} ORDER BY seq DESC LIMIT ?)"  # noqa: S608
        entries = self._entries(newest, chain.chain_id, _RECEIPTS)
        known: dict[str, BlockReceipts] = {}
        for entry in reversed(entries):
            try:
                raw = entry.raw if entry.raw and _hash(entry.raw) == entry.transaction else None
                proof = prove_inclusion(chain, entry.transaction or "", known, raw)
                if entry.block is None or proof.receipt().block_hash != entry.block.hash:
                    continue
                row = (entry.seq, entry.block.hash, json.dumps(proof.as_json()))
                with self._transaction():
                    self._db.execute("INSERT OR REPLACE INTO receipts VALUES (?, ?, ?)", row)
            except (BlockchainTracerError, LookupError, TypeError, ValueError) as error:
                told = "receipts of %d transactions are not kept yet (%s). They are recorded; the next flush asks again"
                _log.warning(told, len(entries), error)
                return


def _signed(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Those that a signed transaction brings, by its nonce; the first holds its bytes."""
    shared: dict[tuple[int, str | None], list[Entry]] = {}
    for entry in entries:
        if entry.nonce is not None and entry.state is not EntryState.STORED:
            shared.setdefault((entry.nonce, entry.transaction), []).append(entry)
    for _, them in sorted(shared.items(), key=lambda item: item[0][0]):
        them.sort(key=lambda entry: (entry.raw is None, entry.seq))
        if them[0].raw is not None:
            yield them


def _after(flight: Sequence[Sequence[Entry]]) -> int:
    """The nonce behind those in flight; 0 if there are none."""
    return max((entries[0].nonce + 1 for entries in flight if entries[0].nonce is not None), default=0)


def _most_wei() -> int:
    """The price is the node's word, and a node may lie: what a transaction may cost is decided here."""
    chosen = os.environ.get(MAX_COST)
    try:
        return int(Decimal(chosen) * 10**18) if chosen else _MAX_COST_WEI
    except (ArithmeticError, ValueError):
        raise InputError(f"expected an amount of coin in ${MAX_COST}, such as 0.5, got {chosen!r}") from None


def _transactions(entry: Entry) -> list[str]:
    """All transactions that can have brought the entry to the chain, the newest first."""
    return list(dict.fromkeys([*([entry.transaction] if entry.transaction else []), *reversed(entry.replaced)]))


def _hash(raw: bytes) -> str:
    return to_hex(keccak(raw))
