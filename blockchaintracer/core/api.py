"""Verify records from Python. Needs a node to ask, and no home folder, key or database.

>>> from blockchaintracer import Trust, verify
>>> trust = Trust(registry="0x" + "11" * 20, network="base-sepolia", groups=(1,))
>>> trust.chain_id
84532
>>> report = verify("ab" * 32, trust)  # doctest: +SKIP
>>> report.verified, report.proves  # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.record import GLOBAL_PREFIX, Domain, RecordKey, is_hash, normal_id
from blockchaintracer.core.record_key_file import Proof
from blockchaintracer.core.trust import Trust
from blockchaintracer.core.verify import Report
from blockchaintracer.core.verify.bundle import read_bundle
from blockchaintracer.core.verify.content_checks import Shown
from blockchaintracer.core.verify.copies import Copies, FolderCopies
from blockchaintracer.core.verify.outcomes import wrong_group
from blockchaintracer.core.verify.published_proofs import published_keys, published_proofs, with_batched
from blockchaintracer.core.verify.standing import BundleReport, stand
from blockchaintracer.core.verify.verifier import Verifier, as_told


def open_registry(trust: Trust) -> Registry:
    """Connect to the node and return the registry.

    Raises:
        InputError: if no node is named, it is on another chain, or no registry is at the address.
        ChainUnavailable: if the node does not answer.
    """
    chain = connect(trust)
    return Registry(chain, _registry(trust)).require()


def connect(trust: Trust) -> Chain:
    """Connect to the node of a chain that is trusted.

    Raises:
        InputError: if no node is named, or it is on another chain.
        ChainUnavailable: if the node does not answer.
    """
    if trust.rpc is None:
        raise InputError(f"expected the address of a node of chain {trust.chain_id}, got none", hint="Give `rpc`.")
    chain = Chain.connect(trust.rpc)
    if chain.chain_id != trust.chain_id:
        raise InputError(f"expected a node of chain {trust.chain_id}, got one of chain {chain.chain_id}")
    return chain


def _registry(trust: Trust) -> str:
    if trust.registry is None:
        raise InputError("expected the registry to trust, got none", hint="Give `registry`.")
    return trust.registry


def verify_bundle(
    data: bytes, trust: Trust | None = None, *, files: Sequence[str | os.PathLike[str]] = ()
) -> BundleReport:
    """Verify a proof bundle, and files or folders against its records.

    Args:
        data: the bytes of the bundle, from a stranger.
        trust: what the verification rests on: a chain with a node to ask, or blocks. Without it the outcome is at most
            ``consistent``: anybody can make a bundle that fits together.

    Returns:
        The outcome, all checks, and what the bundle shows. `verified` is None if nothing ties it to a chain in `trust`.

    Raises:
        BundleRefused: if the bundle does not fit together, with the place.
        InputError: if it is of a later version, or the node of another chain than `trust` says.
    """
    asks = trust is not None and trust.rpc is not None
    paths = [Path(os.fspath(file)) for file in files]
    return stand(read_bundle(data), trust, (lambda: connect(trust)) if asks and trust else None, paths)


def record_id(key: RecordKey | Mapping[str, Any], trust: Trust) -> str:
    """Compute the id of a record from its key. Asks no node.

    Args:
        key: the key, or its JSON as it is published beside a manifest.
        trust: the chain and the registry, which are part of the id.
    """
    key = key if isinstance(key, RecordKey) else RecordKey.from_json(dict(key))
    return Domain(trust.chain_id, _registry(trust)).record_id(key)


def verify(
    target: str | os.PathLike[str],
    trust: Trust,
    *,
    copies: Copies | str | os.PathLike[str] | None = None,
    record: str | None = None,
) -> Report:
    """Verify a record, a transaction, a recorded digest, or a file or folder.

    Args:
        target: a record id (alone, or as ``eip155:CHAIN:REGISTRY/ID``), a transaction hash, a SHA-256, or a path
            (`Path`, or text that is not an id).
        trust: what the verification rests on.
        copies: where manifests and files are found: a published folder, whose ``proofs`` are read too, or any
            `Copies`. Without it the checks that need them are unknown.
        record: id of the record that a file or folder should be.

    Returns:
        All checks, the records, what follows and what does not. `verified` is None if a source could not be asked.

    Raises:
        InputError: if the target is neither, or the choices in `trust` do not fit together.
        ChainUnavailable: if the node does not answer.
    """
    registry, sources = open_registry(trust), []
    if copies is None or isinstance(copies, str | os.PathLike):
        sources = [copies] if copies else []
        copies = FolderCopies(sources)
        registry = registry.knowing(published_keys(registry.domain, sources))
    verifier = Verifier(registry, copies)
    text, asked, path = os.fspath(target), "", None
    if isinstance(target, str) and is_hash(text):
        if record is not None:
            raise InputError(f"expected a file or folder beside `record`, got {text!r}")
        asked = registry.domain.parse_id(text) if text.startswith(GLOBAL_PREFIX) else normal_id(text)
        report = verifier.hash(text, trust.groups)
    elif not os.path.exists(path := Path(text)):
        raise InputError(f"expected an id, a hash, or an existing file or folder, got {text!r}")
    else:
        shown = Shown(path, copies)
        asked = registry.domain.parse_id(record) if record else shown.sha256
        report = verifier.path(shown, record, trust.groups)
    find = partial(published_proofs, registry.domain, sources, asked)
    report = with_batched(registry, verifier, report, asked, find, path=path, groups=trust.groups)
    return as_told(_by_trusted_groups(report, trust.groups), registry.chain)


def verify_batch_proof(
    data: bytes,
    trust: Trust,
    *,
    copies: Copies | str | os.PathLike[str] | None = None,
    files: Sequence[str | os.PathLike[str]] = (),
) -> Report:
    """Verify the proof of a record in a batch, and files or folders against that record.

    Args:
        data: the bytes of the proof file, from a stranger.

    Raises:
        NotVerified: if the proof is damaged, or of another registry than `trust` names.
        ChainUnavailable: if the node does not answer.
    """
    try:
        proof = Proof.parse(data, "the proof")
    except InputError as error:
        raise NotVerified(error.message) from None
    proof.require(Domain(trust.chain_id, _registry(trust)))
    if copies is None or isinstance(copies, str | os.PathLike):
        copies = FolderCopies([copies] if copies else [])
    paths = [Path(os.fspath(file)) for file in files]
    registry = open_registry(trust)
    report = Verifier(registry, copies).batched(proof.key, proof.root, proof.path, paths, trust.groups)
    return as_told(report, registry.chain)


def _by_trusted_groups(report: Report, groups: tuple[int, ...]) -> Report:
    """Add a failed check for each record of a group that does not count, and take away what follows from it."""
    wrong = [check for view in report.records for check in wrong_group(view.group, groups, view.id)]
    return replace(report, checks=(*report.checks, *wrong), proves=() if wrong else report.proves)
