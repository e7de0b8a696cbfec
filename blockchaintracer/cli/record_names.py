"""The ways to name a record on the command line: id, first digits of it, `@last`, file, address, or name.

Anyone can grind an id that begins as another does, and copy a name. A verb that signs shows what was found, and asks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from blockchaintracer.cli.render import plain, require_agreement
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError
from blockchaintracer.core.record import GLOBAL_PREFIX, Kind, Relation, is_hash, normal_digest
from blockchaintracer.lab.kept_proofs import proofs_beginning
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Op
from blockchaintracer.lab.store.ipfs.blocks import Cid

YES = "blockchaintracer.yes"
"""Key in a click context's meta: whether the user agrees to what a name was taken for."""
LAST = "@last"
_WROTE = Relation.GENERATED_BY
_PREFIX = re.compile(r"(?:0x)?([0-9a-fA-F]{8,63})…?")
_ADDRESS = re.compile(r"(ipfs|https?)://\S+")
_WORD = re.compile(r"[A-Za-z0-9_.+-]+")
_SEARCH = "blockchaintracer.extras.search"
_MOST_LISTED = 10
_MOST_COMPLETED = 500


class RecordName(click.ParamType):
    """A record, in any of the ways to name one.

    Args:
        also: says whether a text that is no id is something else that the verb takes, which is then left as it is.
        relation: a colon and a relation follow.
    """

    name = "record"

    def __init__(self, also: Callable[[str], bool] = lambda text: False, *, relation: bool = False) -> None:
        self.also = also
        self.relation = relation

    @override
    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the ids and names in the index that begin so, the newest first; the chain is not asked."""
        with suppress(Exception):  # a shell that completes shows no error
            home = Home(ctx.params.get("home"))
            if (home.path / "index.sqlite").exists():
                known = import_module(f"{_SEARCH}.database").known(home.index, _MOST_COMPLETED)
                # a stranger's name must not reach the shell as more than a word
                words = [(word, name) for id_, name in known for word in (id_, name) if _WORD.fullmatch(word or "")]
                return [
                    CompletionItem(word, help=plain(name or "")) for word, name in words if word.startswith(incomplete)
                ]
        return []

    def resolve(self, lab: Lab, text: str, agreed: bool, signs: bool) -> str:
        """Return the id that a text means, or what else the verb takes."""
        if self.also(text):
            return text
        if not self.relation:
            return full_id(lab, text, agreed, signs)
        name, colon, relation = text.rpartition(":")
        return f"{full_id(lab, name, agreed, signs)}:{relation}" if colon and name else text


class SealName(RecordName):
    """A seal that is kept here: its commitment, the id of what was sealed, the first digits of either, or `@last`."""

    name = "seal"

    @override
    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        kept = sorted(it.stem for it in Home(ctx.params.get("home")).seals.glob("*.json"))
        return [CompletionItem(commitment) for commitment in kept if commitment.startswith(incomplete)]

    @override
    def resolve(self, lab: Lab, text: str, agreed: bool, signs: bool) -> str:
        prefix = _PREFIX.fullmatch(text)
        if not prefix and text != LAST:
            return text
        from blockchaintracer.lab.seals import kept_seals

        seals, start = {it.commitment: it for it in kept_seals(lab)}, f"0x{prefix[1].lower()}" if prefix else ""
        if prefix:
            found = [it for it in seals.values() if start in (it.commitment[: len(start)], it.record_id[: len(start)])]
        else:
            made = [entry.write["commitment"] for entry in lab.outbox.entries_in(lab.domain, Op.SEAL)]
            found = [seals[it] for it in made if it in seals][-1:]
        ids = [it.commitment for it in found]
        if not ids:
            raise InputError(
                f"no seal is kept here as {text!r}",
                hint="`blockchaintracer seal list` shows the commitments. A seal is revealed from the folder (--home) "
                "that it was made in.",
            )
        return _the_one(lab, text, ids, lambda it: f"{it}: {seals[it].what} {seals[it].record_id}", agreed)


RECORD = RecordName()
RECORD_AND_RELATION = RecordName(relation=True)
SEAL = SealName()
RECORD_OR_MLFLOW = RecordName(lambda text: text.startswith("mlflow:"))
RECORD_OR_PATH = RecordName(lambda text: text.startswith("mlflow:") or Path(text).exists())


def name_records(ctx: click.Context, lab: Lab, options: dict[str, Any], *, signs: bool) -> None:
    """Replace each name of a record among a verb's options by the full id."""
    signs = signs and ctx.params.get("to_record") is not False and not ctx.params.get("no_attest")
    agreed = not signs or ctx.meta.get(YES) or ctx.params.get("yes")
    for param in ctx.command.params:
        value = options.get(param.name or "")
        if isinstance(param.type, RecordName) and value:
            texts = [value] if isinstance(value, str) else value
            ids = [param.type.resolve(lab, one, bool(agreed), signs) for one in texts]
            options[param.name or ""] = ids[0] if isinstance(value, str) else tuple(ids)


def full_id(lab: Lab, text: str, agreed: bool = True, signs: bool = False) -> str:
    """Return the id that a text means; `agreed` unless the user is to be asked. For a verb that signs, the chain is
    asked for others that the text may mean, too."""
    if is_hash(text):
        return text
    ids = _found(lab, text, signs)
    if not ids:
        short = ": the first digits of an id are 8 or more" if text.startswith("0x") and len(text) < 10 else ""
        raise InputError(
            f"no record is known here as {text!r}{short}",
            hint="A record is named by its id, the first 8 digits of it or more, @last, a file or folder that was "
            "recorded, its name, or an address that holds its id, digest, CID or transaction (nothing is fetched from "
            "there): `blockchaintracer query` lists them.",
        )
    return _the_one(lab, text, ids, partial(_described, lab), agreed)


def _the_one(lab: Lab, text: str, ids: list[str], described: Callable[[str], str], agreed: bool) -> str:
    if len(ids) > 1:
        listed = "\n".join(f"  {described(one)}" for one in ids[:_MOST_LISTED])
        more = f"\n  and {len(ids) - _MOST_LISTED} more" if len(ids) > _MOST_LISTED else ""
        raise InputError(f"{text!r} names {len(ids)} records:\n{listed}{more}", hint="Give the id of the one you mean.")
    said = f"{text} is {described(ids[0])}"
    if agreed:
        lab.say(said)
    elif not sys.stdin.isatty():
        raise InputError(
            f"{said}: anyone can copy a name or the first digits of an id",
            hint="Nothing was signed. Give the full id, or pass --yes.",
        )
    else:
        require_agreement(f"{said}. Is that the one?", "Give the full id, or pass --yes.")
    return ids[0]


def _found(lab: Lab, text: str, signs: bool) -> list[str]:
    """Return the ids that a text may mean: by the first of the ways that finds any."""
    if text == LAST:
        newest = lab.outbox.record_ids(lab.domain, limit=1)
        return [run for it in newest for run in _run_with(lab, it)] or newest
    if _ADDRESS.fullmatch(text):
        return next(filter(None, (_named_by(lab, word, signs) for word in _words_of(text))), [])
    if known := _beginning(lab, text, signs):
        return known
    path = Path(text)
    from blockchaintracer.lab.store.hashcache import digest_of

    found = lab.registry.find_subject(digest_of(lab.hashes, path).sha256) if path.exists() else []
    return [record.id for record in found] or _indexed(lab, "d.name = ?", [text])


def _run_with(lab: Lab, record_id: str) -> list[str]:
    """Return the run of this home that wrote a model: `record` records the model after the run."""
    keys = [entry.write.key for entry in lab.outbox.entries_about(record_id, Op.RECORD)]
    runs = [it.parent for key in keys if key.kind == Kind.MODEL for it in key.parents if it.relation == _WROTE]
    return [run for run in runs if lab.outbox.entries_about(run, Op.RECORD)][:1]


def _beginning(lab: Lab, text: str, signs: bool) -> list[str]:
    """Return the ids that begin so. Only a verb that signs asks the chain for more than are known here."""
    if not (prefix := _PREFIX.fullmatch(text)):
        return []
    digits = prefix[1].lower()
    known = [*lab.outbox.record_ids(lab.domain, f"0x{digits}"), *proofs_beginning(lab, f"0x{digits}")]
    if signs or not known:
        known += _indexed(lab, "r.id BETWEEN ? AND ?", [bytes.fromhex(digits.ljust(64, fill)) for fill in "0f"])
    return [*dict.fromkeys(known)]


def _words_of(address: str) -> list[str]:
    """Split an address into what may name a record, the last first; of an object's path its two parts are joined."""
    words = re.split(r"[/?#=&.]|report-", address.partition("://")[2])
    return [*reversed(words), *(first + last for first, last in pairwise(words) if len(first) == 2)]


def _named_by(lab: Lab, word: str, signs: bool) -> list[str]:
    """Return the ids that a part of an address names: an id, the first digits of it, the digest of a manifest or of
    content, a CID, or a transaction. The address is not fetched: what lies there can say anything."""
    with suppress(InputError):
        word = Cid.parse(word).digest.hex()
    if is_hash(word) and not word.startswith(GLOBAL_PREFIX):
        return _indexed(lab, "? IN (r.id, r.subject, d.digest, r.tx)", [bytes.fromhex(normal_digest(word))])
    return _beginning(lab, word, signs) if word.startswith("0x") else []


def _indexed(lab: Lab, condition: str, values: list[Any]) -> list[str]:
    """Search the index, with the events that the chain has added if it can be asked."""
    up_to_date = import_module(f"{_SEARCH}.update").up_to_date
    try:
        with up_to_date(lab) as index:
            return list(index.ids(lab.registry, condition, values))
    except ChainUnavailable:
        with up_to_date(lab, offline=True) as index:
            return list(index.ids(lab.registry, condition, values))


def _described(lab: Lab, record_id: str) -> str:
    """Say what a record is: the full id, its name, group and author."""
    record = lab.registry.find_record(record_id)
    if record is None:
        return f"{record_id} (not stored on the chain)"
    name = None
    with suppress(BlockchainTracerError, AttributeError):
        from blockchaintracer.lab.lookup import read_manifest

        name = read_manifest(lab.store, record).predicate.name
    what = f"{record.kind} {plain(name or '')}".strip()
    return f"{record_id}: {what}; group {record.group}, author {record.author}"
