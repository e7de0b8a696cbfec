"""Model and dataset cards in Hugging Face's format: its own classes make and read the metadata block."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.verify.outcomes import NEVER_PROVEN
from blockchaintracer.extras.report.gather import Facts, flat, view
from blockchaintracer.extras.report.render import DATASET_CARD, MODEL_CARD, printable, render
from blockchaintracer.lab.optional import require

if TYPE_CHECKING:
    from huggingface_hub import DatasetCard, ModelCard

TITLES = {
    "model_name": "Name",
    "model_version": "Version",
    "model_type": "Type",
    "dataset": "Dataset",
    "preprocessing": "Preprocessing",
    "validation": "Validation",
    "metrics": "Metrics",
    "limitations": "Limitations",
    "transaction": "Transaction",
    "timestamp": "Timestamp",
    "verification": "Verification",
    "description": "Description",
    "intended_use": "Intended use",
    "license": "Licence",
    "language": "Language",
    "contact": "Contact",
    "citation": "Citation",
    "version": "Version",
    "source": "Source",
    "size": "Bytes",
    "fileCount": "Files",
    "cid": "IPFS address",
}
_KNOWN_LICENCES = {
    *("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1"),
    *("lgpl-3.0", "agpl-3.0", "mpl-2.0", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0"),
    *(
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
        "cc-by-nd-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nc-nd-4.0",
        "odbl",
        "pddl",
        "unlicense",
    ),
    *("isc", "zlib", "bsl-1.0", "afl-3.0", "artistic-2.0", "ecl-2.0", "epl-2.0", "eupl-1.1", "eupl-1.2", "wtfpl"),
}


def model_card(facts: Facts, templates: Path | None = None) -> ModelCard:
    """The card of a run's model.

    Raises:
        InputError: naming the required fields that are missing; or if the record leads to no run.
    """
    hub = require("huggingface_hub", "reports")
    if not facts.has_card or facts.run is None:
        raise InputError(
            f"expected a run, or a model that a run wrote, got {facts.asked.row.kind} {facts.asked.row.id}",
            hint="`blockchaintracer query --kind run` lists runs.",
        )
    facts.require_fields()
    name = printable(facts.fields["model_name"].text)
    run = facts.run.run
    results = []
    if run:
        for metric, found in sorted(run.metrics.items()):
            results.append(
                hub.EvalResult(
                    task_type=run.template.name if run.template else "other",
                    dataset_type=_measured_on(facts)[1],
                    dataset_name=_measured_on(facts)[0],
                    metric_type=printable(metric),
                    metric_value=found.value,
                )
            )
    data = hub.ModelCardData(
        **_licence(facts.fields["license"].text if "license" in facts.fields else None),
        model_name=name,
        eval_results=results or None,
        datasets=[one.seen.digest for one in facts.inputs if one.seen.row.kind == "dataset"] or None,
        metrics=sorted(run.metrics) if run and run.metrics else None,
        tags=["blockchaintracer"],
        blockchaintracer=_reference(facts),
    )
    made: ModelCard = hub.ModelCard(_document(data, render(MODEL_CARD, template_values(facts), templates)))
    return made


def dataset_card(facts: Facts, templates: Path | None = None) -> DatasetCard:
    """The card of a dataset.

    Raises:
        InputError: if the record is no dataset.
    """
    hub = require("huggingface_hub", "reports")
    if facts.asked.row.kind != "dataset":
        raise InputError(f"expected a dataset, got {facts.asked.row.kind} {facts.asked.row.id}")
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


def template_values(facts: Facts) -> dict[str, Any]:
    """What a template sees: plain values only."""
    values = view(facts)
    markup = require("markupsafe", "reports").Markup
    return {
        **values,
        "fields": {field["name"]: field for field in values["fields"]},
        "titles": TITLES,
        # made here of hex digits, an address and a network's name
        "command": markup(facts.verify_with),
        "never_proven": NEVER_PROVEN,
    }


def _document(data: Any, text: str) -> str:
    return f"---\n{data.to_yaml()}\n---\n\n{text}"


def _reference(facts: Facts) -> dict[str, Any]:
    row = facts.asked.row
    return {
        "record": row.id,
        "registry": row.registry,
        "chain_id": row.chain_id,
        "transaction": f"0x{row.transaction}",
        "verify": facts.verify_with,
    }


def _licence(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    if text.lower() in _KNOWN_LICENCES:
        return {"license": text.lower()}
    return {"license": "other", "license_name": printable(text)}


def _measured_on(facts: Facts) -> tuple[str, str]:
    data = [one for one in facts.inputs if one.seen.row.kind == "dataset"]
    for relation in ("evaluated-on", "validated-on"):
        for one in data:
            if one.relation == relation:
                return printable(one.name), one.seen.digest
    return (printable(data[0].name), data[0].seen.digest) if data else ("not recorded", "sha256:none")
