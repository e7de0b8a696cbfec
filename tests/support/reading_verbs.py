"""Every verb that reads, asked about a registry's life by nodes that have forgotten.

In its own home a lab keeps keys, receipts, batches, seals, manifests and its index.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import digest_file
from blockchaintracer.core.manifest import RunPredicate
from blockchaintracer.core.manifest.predicates import Metric, RunInput
from blockchaintracer.core.record import Link, Relation
from blockchaintracer.extras.search import Index
from blockchaintracer.lab.recording.run import named_parents, record_run
from tests.support.labs import typed
from tests.support.memory_node import Answer, answering
from tests.support.registry_life import FULL, Life, live

_FIELDS = "model_version model_type preprocessing validation limitations"


@dataclass
class Reading:
    """A lab that has recorded, and the verbs that it reads with, by name."""

    life: Life
    folder: Path
    verbs: dict[str, tuple[str, ...]]

    def told(self, name: str, answer: Answer, home: Path | None = None) -> tuple[int, Any, str]:
        """What a verb answers by a node, in the lab's own home by default: exit code, JSON and stderr."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        chain = ("--rpc", FULL, "--chain-id", str(self.life.node.chain.chain_id))
        where = (*chain, "--registry", self.life.lab.registry_address or "")
        key = self.life.lab.signer_given.account().key.hex()  # type: ignore[union-attr]
        with answering(full=answer):
            home = home or self.life.lab.home.path
            done = typed(*self.verbs[name], *where, "--json", home=home, BLOCKCHAINTRACER_PRIVATE_KEY=key)
        files = {str(file.relative_to(out)): file for file in sorted(out.rglob("*")) if file.is_file()}
        told = json.loads(done.stdout)
        if files:
            told["written"] = list(files)
        return done.returncode, told, done.stderr


def reading(folder: Path) -> Reading:
    """Let a lab record, and read all of it once."""
    folder.mkdir(exist_ok=True)
    life = live(folder / "life")
    lab, ids, out = life.lab, life.ids, folder / "out"
    with answering(full=life.node.answer):
        subject = digest_file(life.files["data"]).sha256
        for name, accuracy in (("first", 0.91), ("second", 0.92)):
            predicate = RunPredicate(
                run_id=f"0c4cd0d6-6b6c-4d5a-8d3c-22222222222{len(name) % 10}",
                parents=named_parents((Link(ids["data"], Relation.TRAINED_ON),)),
                inputs=(RunInput(record=ids["data"], relation=Relation.TRAINED_ON, name="data", sha256=subject),),
                name=name,
                status="completed",
                metrics={"accuracy": Metric(value=accuracy)},
            )
            made = record_run(lab, predicate)
            ids[name], life.transactions[name] = made.id, made.transaction or ""
        life.node.mine(4)
        with Index(lab.home.index) as index:
            index.sync(lab.registry, lab.store)
    paper = folder / "paper.md"
    paper.write_text(f"The accuracy is 0.91<!-- recorded: {ids['first']} accuracy -->.\n")
    fields = [part for field in _FIELDS.split() for part in ("--field", f"{field}=declared")]
    verbs: dict[str, tuple[str, ...]] = {
        "verify a record": ("verify", ids["model"]),
        "verify a retracted record": ("verify", ids["wrong"]),
        "verify a sealed record": ("verify", ids["sealed"]),
        "verify a batched record": ("verify", ids["batched"]),
        "verify a file": ("verify", str(life.files["data"])),
        "verify a batched file": ("verify", str(life.files["batched"])),
        "status": ("status",),
        "status of a record": ("status", ids["stored"]),
        "query": ("query",),
        "lineage": ("lineage", ids["late"]),
        "impact": ("impact", ids["data"]),
        "score": ("score", ids["first"]),
        "report": ("report", ids["first"], "-o", str(out / "report"), *fields),
        "compare": ("compare", ids["first"], ids["second"]),
        "check": ("check", str(paper)),
        "export": ("export", "-o", str(out / "registry.tar")),
        "publish": ("publish", ids["late"], "--to", str(out / "published")),
        "batch list": ("batch", "list"),
        "seal list": ("seal", "list"),
    }
    return Reading(life, folder, verbs)


_MAY_DIFFER = {"score": {"evidence"}, "seal list": {"complete"}}
"""Fields that say how something is known, or whether there may be more."""
_WHO_SENT = {"author", "role", "key", "seal", "history", "not-before"}
"""Checks that may become unknown: who sent what, and what else only events tell."""


def problem(name: str, now: tuple[int, Any, str], true: tuple[int, Any, str]) -> str | None:
    """Say how an answer by a node that has forgotten contradicts the true one, or return None."""
    (code, told, said), (true_code, true_told, _) = now, true
    if name == "export" and code == 3:
        # an archive has all events or is none
        return None if "begins at block" in told["message"] and "written" not in told else f"refused by {told}"
    if code != true_code:
        return f"exit code {code}, not {true_code}: {told} {said}"
    if name == "publish" and any("description of group" in it for it in told["leftOut"]):
        # only events tell which description is the group's
        told, true_told = _without_group(told), _without_group(true_told)
    if name.startswith("verify"):
        unknown, known = (
            {it["name"] for it in each["checks"] if it["verdict"] == "unknown"} for each in (told, true_told)
        )
        if more := unknown - known - _WHO_SENT:
            return f"unknown: {', '.join(sorted(more))}"
    now_essence, true_essence = (_essence(name, each) for each in (told, true_told))
    return None if now_essence == true_essence else f"{now_essence}, not {true_essence}"


def _without_group(published: Any) -> Any:
    rest = [it for it in published["objects"] if it["what"] != "group"]
    return _without(published, {"leftOut", "size", "written"}) | {"objects": rest}


def _essence(name: str, told: Any) -> Any:
    if name.startswith("verify"):
        records = [(it["id"], it["status"], it["group"], it["author"], it["time"]) for it in told["records"]]
        failed = [it["name"] for it in told["checks"] if it["verdict"] == "fail"]
        return told["outcome"], failed, records, bool(told["proves"])
    return _without(told, _MAY_DIFFER.get(name, set()))


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, names) for key, item in value.items() if key not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value
