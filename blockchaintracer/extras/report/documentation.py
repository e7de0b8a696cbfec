"""Documentation from Python: what `blockchaintracer report` writes, as objects.

>>> from blockchaintracer import DocumentationTracer                         # doctest: +SKIP
>>> made = DocumentationTracer(run, limitations="…").generate_documentation()  # doctest: +SKIP
>>> made.model_card.save("model-card.md")                                    # doctest: +SKIP
>>> made["experiment_sheet"].sort_values("date")                             # doctest: +SKIP
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.report import documents
from blockchaintracer.extras.report.card import model_card
from blockchaintracer.extras.report.mlflow_runs import named_record, record_of_mlflow
from blockchaintracer.extras.report.plain_values import plain_values
from blockchaintracer.extras.report.report_facts import ReportFacts, gather
from blockchaintracer.extras.report.sheet import sheet
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import EntryState, Op
from blockchaintracer.lab.traced_run import TracedRun
from blockchaintracer.lab.tracer import MLTracer, lab_of_tracer

if TYPE_CHECKING:
    import pandas
    from huggingface_hub import ModelCard

_KEYS = ("model_card", "experiment_sheet", "blockchain_verification")


class Documentation(Mapping[str, Any]):
    """What was made of a record; by attribute or by key.

    Attributes:
        model_card: Hugging Face's `ModelCard`; ``save(path)`` writes it.
        experiment_sheet: a DataFrame with the columns ``date``, ``model_name``, ``dataset``, ``metrics``,
            ``parameters``, ``blockchain_ref`` and ``mlflow_run``.
        blockchain_verification: ``status``, ``record``, ``transaction``, ``block``, ``timestamp``, ``registry``,
            ``chainId``, ``author``, ``group``, ``command`` and ``checks``.
    """

    model_card: ModelCard
    experiment_sheet: pandas.DataFrame
    blockchain_verification: dict[str, Any]

    def __init__(self, lab: Lab, facts: ReportFacts, templates: Path | None = None) -> None:
        self._lab = lab
        self._templates = templates
        self.facts = facts
        self.model_card = model_card(facts, templates)
        self.experiment_sheet = sheet(facts)
        values = plain_values(facts)
        record, verification = values["record"], values["verification"]
        self.blockchain_verification = {
            "status": facts.verification.status,
            "verified": facts.verification.status == "verified",
            "record": record["id"],
            **{name: record[name] for name in ("transaction", "block", "registry", "chainId", "author", "group")},
            "timestamp": record["time"],
            "command": verification["command"],
            "checks": verification["checks"],
        }

    def save(self, folder: str | os.PathLike[str], formats: Sequence[str] | None = None) -> list[Path]:
        """Write it as `blockchaintracer report` does, and return the files."""
        return documents.write(self._made(formats), Path(folder))

    def record(self, formats: Sequence[str] | None = None) -> Recorded:
        """Record it as a Document that is derived from the record, and supersedes the former one."""
        return documents.record_report(self._lab, self.facts, self._made(formats))

    def _made(self, formats: Sequence[str] | None) -> dict[str, bytes]:
        return documents.make(self.facts, formats or documents.formats_for(self.facts), self._templates)

    def __getitem__(self, name: str) -> Any:
        if name in _KEYS:
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        asked = self.facts.asked
        return f"<Documentation of {asked.record.kind} {asked.id}: {self.facts.verification.status}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: who, when, whether it verified, and the metrics. Names in it are escaped."""
        values, fields = self.blockchain_verification, self.facts.fields
        rows = [
            *((name, values[name]) for name in ("status", "record")),
            ("recorded", f"{values['timestamp']}, block {values['block']}"),
            *((name, fields[name].text) for name in ("model_version", "metrics") if name in fields),
            ("check it", values["command"]),
        ]
        cells = "".join(f"<tr><td>{escape(name)}</td><td><code>{escape(text)}</code></td></tr>" for name, text in rows)
        return f"<b>{escape(fields['model_name'].text)}</b><table>{cells}</table>"


class DocumentationTracer:
    """Documents a record: a run, or a model that a run wrote.

    Args:
        record: its id, what recorded it (a `Recorded` or `TracedRun`), or ``mlflow:RUN_ID``; the lab's newest run if
            not said.
        mlflow_run: id of an MLflow run instead, whose record is looked for.
        home, rpc, registry, group, key: as `MLTracer` takes.
        chain_id: of the chain that you choose. Needed beside `rpc` if this home has never written to that chain.
        fields: fields of the model card that the records don't hold; shown as declared.
        sources: where the record was published, if it isn't in this lab's store.
        templates: folder of your own templates.
        declared: the same as `fields`, by name: ``limitations="…"``.
    """

    def __init__(
        self,
        record: Any = None,
        *,
        mlflow_run: str | None = None,
        home: str | os.PathLike[str] | None = None,
        rpc: str | None = None,
        registry: str | None = None,
        group: int | None = None,
        key: str | None = None,
        chain_id: int | None = None,
        fields: Mapping[str, str] | None = None,
        sources: Sequence[str] = (),
        templates: str | os.PathLike[str] | None = None,
        **declared: str,
    ) -> None:
        self._options: dict[str, Any] = {"home": home, "rpc": rpc, "registry": registry, "group": group, "key": key}
        chosen = {"named_chain": chain_id, "only_known": True}
        self._lab = lab_of_tracer(logging.getLogger(__name__), home, rpc, registry, group, key, **chosen)
        self._record: Any = record
        self._mlflow_run = mlflow_run
        self._fields = {**(fields or {}), **declared}
        self._sources = sources
        self._templates = Path(templates) if templates is not None else None

    def start_run(self, name: str | None = None, **named: Any) -> TracedRun:
        """Return a run to use in a ``with`` block, as `MLTracer.start_run`; it is what is documented then."""
        self._record = run = MLTracer(**self._options).start_run(name, **named)
        return run

    def generate_documentation(self) -> Documentation:
        """Verify the record and document it. Required fields that are missing are named in the card.

        Raises:
            InputError: if there is no such record, or it leads to no run.
            StoreError, NotVerified, ChainUnavailable: as `blockchaintracer.extras.report.report_facts.gather`.
        """
        facts = gather(self._lab, self._id(), self._fields, sources=self._sources)
        return Documentation(self._lab, facts, self._templates)

    def _id(self) -> str:
        if self._mlflow_run is not None:
            return record_of_mlflow(self._lab, self._mlflow_run)
        record = getattr(self._record, "recorded", self._record)
        if record is None and self._record is not None:
            raise InputError("expected a run that is recorded, got one that isn't")
        if record is None:
            return self._newest()
        name = getattr(record, "id", record)
        if not isinstance(name, str):
            raise InputError(f"expected a record's id, or what recorded it, got {type(name).__name__}")
        return named_record(self._lab, name)

    def _newest(self) -> str:
        for entry in reversed(self._lab.outbox.entries(self._lab.chain_id, Op.RECORD)):
            if entry.write.key.kind == Kind.RUN and entry.state is not EntryState.FAILED:
                return str(entry.write.record_id)
        raise InputError("expected a run to document, got none in this lab", hint="Name a record's id.")
