"""Model and dataset cards in Hugging Face's format: its own classes make and read the metadata block."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import number_text
from blockchaintracer.core.record import Relation
from blockchaintracer.core.verify.outcomes import NEVER_PROVEN
from blockchaintracer.extras.report.fields import OPTIONAL, REQUIRED
from blockchaintracer.extras.report.fill_template import DATASET_CARD, MODEL_CARD, render
from blockchaintracer.extras.report.plain_values import plain_values
from blockchaintracer.extras.report.report_facts import ReportFacts
from blockchaintracer.lab.gather import GatheredRecord
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import flat, printable

if TYPE_CHECKING:
    from huggingface_hub import DatasetCard, ModelCard

TITLES = {
    **{name: name.replace("_", " ").capitalize() for name in (*REQUIRED, *OPTIONAL, "version", "source")},
    **{"model_name": "Name", "model_version": "Version", "model_type": "Type", "license": "Licence"},
    **{"size": "Bytes", "fileCount": "Files", "cid": "IPFS address"},
}
_KNOWN_LICENCES = {
    *("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1"),
    *("lgpl-3.0", "agpl-3.0", "mpl-2.0", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0"),
    *("cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "odbl", "pddl"),
    *("unlicense", "isc", "zlib", "bsl-1.0", "afl-3.0", "artistic-2.0", "ecl-2.0", "epl-2.0", "eupl-1.1", "eupl-1.2"),
    "wtfpl",
}


def model_card(facts: ReportFacts, templates: Path | None = None) -> ModelCard:
    """Make the card of a run's model. Required fields that are missing are named in it."""
    hub = require("huggingface_hub", "reports")
    if not facts.has_card or facts.run is None:
        raise InputError(
            f"expected a run, or a model that a run wrote, got {facts.asked.record.kind} {facts.asked.id}",
            hint="`blockchaintracer query --kind run` lists runs.",
        )
    run = facts.run.run
    metrics = sorted(run.metrics.items()) if run else []
    dataset_name, dataset_type = _measured_on(facts)
    results = [
        hub.EvalResult(
            task_type=run.template.name if run and run.template else "other",
            dataset_type=dataset_type,
            dataset_name=dataset_name,
            metric_type=printable(name),
            metric_value=number_text(metric.value),
            metric_name=f"{printable(name)} (declared)" if metric.is_declared else None,
        )
        for name, metric in metrics
    ]
    data = hub.ModelCardData(
        **_licence(facts.fields["license"].text if "license" in facts.fields else None),
        model_name=printable(facts.fields["model_name"].text),
        eval_results=results or None,
        datasets=[_digest(entry.read) for entry in facts.datasets] or None,
        metrics=[name for name, _ in metrics] or None,
        tags=["blockchaintracer"],
        blockchaintracer=_reference(facts),
    )
    values = template_values(facts)
    missing = {"text": "MISSING", "source": "neither recorded nor declared"}
    values["fields"] |= {name: {"name": name, **missing} for name in facts.missing}
    made: ModelCard = hub.ModelCard(_document(data, render(MODEL_CARD, values, templates)))
    return made


def whole_model_card(facts: ReportFacts, templates: Path | None) -> bytes:
    """Make the card of a run's model as a file, for others to read: no required field may be missing."""
    if facts.has_card:
        facts.require_fields()
    return str(model_card(facts, templates)).encode()


def dataset_card(facts: ReportFacts, templates: Path | None = None) -> DatasetCard:
    """Make the card of a dataset."""
    hub = require("huggingface_hub", "reports")
    if facts.asked.record.kind != "dataset":
        raise InputError(f"expected a dataset, got {facts.asked.record.kind} {facts.asked.id}")
    content = facts.asked.content
    values = template_values(facts)
    values["schema"] = flat(content.data_schema or {}) if content else []
    values["record"] = {**values["record"], "says": values["record"]["says"] or {}}
    data = hub.DatasetCardData(
        **_licence(content.license if content else None),
        pretty_name=printable(facts.asked.name),
        tags=["blockchaintracer"],
        blockchaintracer=_reference(facts),
    )
    made: DatasetCard = hub.DatasetCard(_document(data, render(DATASET_CARD, values, templates)))
    return made


def template_values(facts: ReportFacts) -> dict[str, Any]:
    """Return what a template sees: plain values only."""
    values = plain_values(facts)
    return {
        **values,
        "fields": {field["name"]: field for field in values["fields"]},
        "titles": TITLES,
        # made here of hex digits, an address and a network's name
        "command": require("markupsafe", "reports").Markup(facts.verification.command),
        "neverProven": NEVER_PROVEN,
    }


def _document(data: Any, text: str) -> str:
    return f"---\n{data.to_yaml()}\n---\n\n{text}"


def _reference(facts: ReportFacts) -> dict[str, Any]:
    return {
        "record": facts.asked.id,
        "registry": facts.registry,
        "chainId": facts.chain_id,
        "transaction": facts.asked.record.transaction,
        "verify": facts.verification.command,
    }


def _licence(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    if text.lower() in _KNOWN_LICENCES:
        return {"license": text.lower()}
    return {"license": "other", "license_name": printable(text)}


def _measured_on(facts: ReportFacts) -> tuple[str, str]:
    """Name and digest of the dataset of the metrics: what the run evaluated on, validated on, or read at all."""
    order = (Relation.EVALUATED_ON, Relation.VALIDATED_ON)
    datasets = sorted(facts.datasets, key=lambda data: order.index(data.relation) if data.relation in order else 2)
    if not datasets:
        return "not recorded", "sha256:none"
    return printable(datasets[0].name or datasets[0].read.name), _digest(datasets[0].read)


def _digest(gathered: GatheredRecord) -> str:
    """The subject of a record, with what it is."""
    return f"{'commitment' if gathered.record.subject_type == 'commitment' else 'sha256'}:{gathered.record.subject}"
