"""OpenTimestamps: proofs by calendars, which put a root into a transaction of Bitcoin about once a day.

A proof leads by hashes from what was stamped to the Merkle root of a Bitcoin block: it shows that the bytes were there
before the block was mined. Until then it is the promise of a calendar, and proves nothing. Read by the library
`opentimestamps`, with limits; source of the format: github.com/opentimestamps/python-opentimestamps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.networks import when
from blockchaintracer.extras.witness.bitcoin_headers import AHEAD_S, BitcoinHeader, TrustedHeaders
from blockchaintracer.extras.witness.service import ServiceRefused, ask_service
from blockchaintracer.extras.witness.witness_receipt import MAX_PROOF, StampedBranch
from blockchaintracer.extras.witness.witness_time import TimeStanding, WitnessTime
from blockchaintracer.lab.optional import require

if TYPE_CHECKING:
    from opentimestamps.core.timestamp import Timestamp

_ACCEPT = "application/vnd.opentimestamps.v1"
_ANSWER = 10_000
_HEIGHTS = 1 << 31
_MOST_ATTESTATIONS = 32
"""Of a proof: four calendars give eight. Each is asked about, and a stranger may have written it."""
T = TypeVar("T")


def submit(digest: str, calendars: Sequence[str], *, allow_local: bool) -> tuple[bytes, list[str]]:
    """Give a SHA-256 to calendars. Returns the proof, which is a promise yet, and what went wrong with some.

    Raises:
        ChainUnavailable: if no calendar took it.
    """
    from opentimestamps.core.timestamp import Timestamp as New

    stamp, problems, took = New(bytes.fromhex(digest)), [], 0
    for calendar in calendars:
        try:
            body = ask_service(
                f"{calendar.rstrip('/')}/digest",
                limit=_ANSWER,
                allow_local=allow_local,
                data=stamp.msg,
                Accept=_ACCEPT,
                Content_Type="application/octet-stream",
            )
            stamp.merge(_read_stamp(body, stamp.msg))
            took += 1
        except (ChainUnavailable, InputError) as error:
            problems.append(error.message if calendar in error.message else f"{calendar}: {error.message}")
    if not took:
        raise ChainUnavailable(
            f"no calendar took it: {'; '.join(problems) or 'none is named'}",
            hint="Name one by --calendar URL, or try again later.",
        )
    return _written(stamp), problems


def upgrade(
    proof: bytes, digest: str, allowed: Callable[[str], bool], *, allow_local: bool
) -> tuple[bytes, list[str], bool]:
    """Ask the calendars that a proof names for what Bitcoin holds by now.

    Args:
        allowed: whether an address may be asked: a stranger may have written it.

    Returns:
        the proof, without the promises that were kept; what went wrong; and whether it leads to a block.
    """
    from opentimestamps.core.notary import PendingAttestation

    stamp, problems = read_calendar_proof(proof, digest), []
    for node in [*_nodes(stamp)]:
        for promise in [it for it in node.attestations if isinstance(it, PendingAttestation)]:
            if not allowed(promise.uri):
                problems.append(f"{promise.uri} is no calendar of your settings, and was not asked")
                continue
            try:
                address = f"{promise.uri.rstrip('/')}/timestamp/{node.msg.hex()}"
                body = ask_service(address, limit=_ANSWER, allow_local=allow_local, Accept=_ACCEPT)
                more = _read_stamp(body, node.msg)
            except ServiceRefused as error:
                if error.status != 404:
                    problems.append(error.message)
                continue
            except (ChainUnavailable, InputError) as error:
                problems.append(error.message)
                continue
            node.merge(more)
            if any(_heights(more)):
                node.attestations.discard(promise)
    return _written(stamp), problems, any(_heights(stamp))


def pruned(proof: bytes, digest: str, trust: TrustedHeaders) -> tuple[bytes, tuple[str, ...]]:
    """Return the proof with the earliest block alone of those that are trusted, and its header (160 hex digits); the
    proof as it is and no header if none is."""
    stamp = read_calendar_proof(proof, digest)
    held: list[tuple[int, BitcoinHeader]] = []
    for root, height in _heights(stamp):
        header, _ = trust.find(height, ())
        if header and header.merkle_root == root and not header.why_no_work(regtest=trust.regtest):
            held.append((height, header))
    if not held:
        return proof, ()
    height, header = min(held, key=lambda it: it[0])
    _keep_only(stamp, height)
    return _written(stamp), (header.data.hex(),)


def times_of(stamp: Timestamp, headers: Sequence[str], trust: TrustedHeaders) -> Iterator[WitnessTime]:
    """Judge a proof that was read: one result for each block and each promise that it leads to.

    Args:
        headers: that came with it, 160 hex digits each.
    """
    from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation

    for node in _nodes(stamp):
        for attestation in sorted(node.attestations):
            if isinstance(attestation, BitcoinBlockHeaderAttestation):
                yield _in_block(node.msg, attestation.height, headers, trust)
            elif isinstance(attestation, PendingAttestation):
                detail = "it promised to put it into Bitcoin: `witness upgrade` asks whether it did"
                yield WitnessTime(f"calendar {attestation.uri}", TimeStanding.PENDING, detail)
            else:
                detail = "it names a witness that this version does not know, and nothing rests on it"
                yield WitnessTime("OpenTimestamps", TimeStanding.CONSISTENT, detail)


def _in_block(root: bytes, height: int, shown: Sequence[str], trust: TrustedHeaders) -> WitnessTime:
    who = f"Bitcoin block {height}" + (" of a test network" if trust.regtest else "")
    try:
        header, by = trust.find(height, shown)
    except ChainUnavailable as error:
        return WitnessTime(
            who, TimeStanding.CONSISTENT, f"it could not be asked for: {error.message}", unavailable=True
        )
    if header is None:
        return WitnessTime(who, TimeStanding.CONSISTENT, by)
    if header.merkle_root != root:
        return WitnessTime(who, TimeStanding.REFUSED, f"the header {by} does not hold it: its Merkle root is another")
    if why := header.why_no_work(regtest=trust.regtest):
        return WitnessTime(who, TimeStanding.REFUSED, f"the header {by} does not count: {why}")
    if header.hash in trust.hashes:  # its hash binds no height
        who = who.replace(f"block {height}", f"block {header.hash}")
    detail = f"mined {when(header.time)} by the miner's clock, which may be two hours ahead; the header is there {by}"
    return WitnessTime(who, TimeStanding.VERIFIED, detail, header.time, header.time + AHEAD_S, is_private=trust.regtest)


def read_calendar_proof(proof: bytes, digest: str) -> Timestamp:
    """Read an OpenTimestamps file of a SHA-256. Only its one form is valid.

    Raises:
        InputError: if it is none, too large, too deep, uses a hash that is broken, or is of something else.
    """
    require("opentimestamps", "witness")
    from opentimestamps.core.op import OpSHA256
    from opentimestamps.core.serialize import BytesDeserializationContext
    from opentimestamps.core.timestamp import DetachedTimestampFile

    if len(proof) > MAX_PROOF:
        raise InputError(f"expected a proof of at most {MAX_PROOF} bytes, got {len(proof)}")
    file = _guarded(lambda: DetachedTimestampFile.deserialize(BytesDeserializationContext(proof)))
    if not isinstance(file.file_hash_op, OpSHA256):
        raise InputError(f"expected a proof of a SHA-256, got one of a {file.file_hash_op}")
    if file.timestamp.msg.hex() != digest:
        raise InputError(f"expected a proof of {digest}, got one of {file.timestamp.msg.hex()}")
    _require_sound(file.timestamp)
    if _guarded(lambda: _written(file.timestamp)) != proof:
        raise InputError("expected the one form of an OpenTimestamps proof, got another one")
    return file.timestamp


def whole_proof(proof: bytes, leaf: str, branch: StampedBranch | None) -> bytes:
    """Return a proof from the leaf of a tree on, as other tools check it: its branch as operations of a proof."""
    from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
    from opentimestamps.core.timestamp import Timestamp as New

    if branch is None:
        return proof
    stamp = node = New(bytes.fromhex(leaf))
    for is_left, sibling in branch.steps():
        if is_left is None:
            node = node.ops.add(OpPrepend(b"\0")).ops.add(OpSHA256())
        elif is_left:
            node = node.ops.add(OpPrepend(b"\1" + sibling)).ops.add(OpSHA256())
        else:
            node = node.ops.add(OpPrepend(b"\1")).ops.add(OpAppend(sibling)).ops.add(OpSHA256())
    node.merge(read_calendar_proof(proof, node.msg.hex()))
    return _written(stamp)


def _read_stamp(body: bytes, message: bytes) -> Timestamp:
    from opentimestamps.core.serialize import BytesDeserializationContext
    from opentimestamps.core.timestamp import Timestamp

    def read() -> Timestamp:
        context = BytesDeserializationContext(body)
        stamp = Timestamp.deserialize(context, message)
        context.assert_eof()
        return stamp

    stamp = _guarded(read)
    _require_sound(stamp)
    return stamp


def _guarded(read: Callable[[], T]) -> T:
    """Call the library on a stranger's bytes: whatever it raises is one error."""
    try:
        return read()
    except RecursionError:
        raise InputError("expected an OpenTimestamps proof, got one that is nested too deeply") from None
    except Exception as error:
        reason = f"{type(error).__name__} {str(error)[:100]}"
        raise InputError(f"expected an OpenTimestamps proof, got: {reason}") from None


def _require_sound(stamp: Timestamp) -> None:
    """Refuse broken hashes and operations that no calendar uses."""
    from opentimestamps.core.notary import BitcoinBlockHeaderAttestation
    from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256

    if (count := sum(len(node.attestations) for node in _nodes(stamp))) > _MOST_ATTESTATIONS:
        raise InputError(f"expected a proof with at most {_MOST_ATTESTATIONS} attestations, got {count}")
    for node in _nodes(stamp):
        # an operation without an argument is an empty tuple, which is false
        if wrong := [op for op in node.ops if not isinstance(op, OpAppend | OpPrepend | OpSHA256)]:
            raise InputError(f"expected a proof by SHA-256 alone, got one that uses {str(wrong[0])[:40]}")
        for attestation in node.attestations:
            if isinstance(attestation, BitcoinBlockHeaderAttestation) and attestation.height >= _HEIGHTS:
                raise InputError("expected the height of a Bitcoin block, got a number that none has")


def _nodes(stamp: Timestamp) -> Iterator[Timestamp]:
    waiting = [stamp]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.ops.values()


def _heights(stamp: Timestamp) -> Iterator[tuple[bytes, int]]:
    from opentimestamps.core.notary import BitcoinBlockHeaderAttestation

    for node in _nodes(stamp):
        for it in node.attestations:
            if isinstance(it, BitcoinBlockHeaderAttestation):
                yield node.msg, it.height


def _keep_only(stamp: Timestamp, height: int) -> bool:
    """Take every branch out that does not lead to a block; return whether one is left. Of several, one stays."""
    from opentimestamps.core.notary import BitcoinBlockHeaderAttestation

    here = {it for it in stamp.attestations if isinstance(it, BitcoinBlockHeaderAttestation) and it.height == height}
    stamp.attestations.clear()
    stamp.attestations.update(here)
    found = bool(here)
    for op in list(stamp.ops):
        keeps = not found and _keep_only(stamp.ops[op], height)
        if not keeps:
            dict.pop(stamp.ops, op)
        found = found or keeps
    return found


def _written(stamp: Timestamp) -> bytes:
    from opentimestamps.core.op import OpSHA256
    from opentimestamps.core.serialize import BytesSerializationContext
    from opentimestamps.core.timestamp import DetachedTimestampFile

    context = BytesSerializationContext()
    DetachedTimestampFile(OpSHA256(), stamp).serialize(context)
    written: bytes = context.getbytes()
    return written
