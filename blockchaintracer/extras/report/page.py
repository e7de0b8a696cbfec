"""The self-contained HTML report, and its PDF. Neither loads anything from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.report.card import template_values
from blockchaintracer.extras.report.fill_template import PAGE, PAPER, STYLE, render, template_source
from blockchaintracer.extras.report.pictures import data_uri, metric_pictures
from blockchaintracer.extras.report.report_facts import ReportFacts
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import LATEST, flat, printable

_CODE = (("commit", "commit"), ("branch", "branch"), ("remote", "remote"), ("entry point", "entryPoint"))
_DRAWN = 48
"""Records of a lineage that are drawn; the table beside the picture has them all."""
_TIMES = {"startedAt": "started", "endedAt": "ended", "declaredTimestamp": "declared time"}


def html(facts: ReportFacts, templates: Path | None = None) -> bytes:
    """Make the report as one HTML file. Its Content Security Policy lets in nothing but its own style and pictures."""
    markup = require("markupsafe", "reports").Markup
    style = template_source(STYLE, templates)
    if "</" in style:
        raise InputError(f"expected a style sheet without markup, got '</' in {STYLE}")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    values = template_values(facts)
    page = render(
        PAGE,
        {
            **values,
            "csp": markup(policy),
            "style": markup(style),
            "missing": list(facts.missing),
            "madeWith": made_with(facts),
            "plots": [
                {"alt": alt, "src": markup(data_uri(svg))} for alt, svg in metric_pictures(facts, values["metrics"])
            ],
            "picture": {"src": markup(data_uri(facts.lineage.svg(_DRAWN).encode()))},
        },
        templates,
    )
    if f'<meta http-equiv="Content-Security-Policy" content="{policy}">' not in page:
        raise InputError(
            f"expected the template {PAGE} to state the Content Security Policy, got none",
            hint='Put <meta http-equiv="Content-Security-Policy" content="{{ csp }}"> first into its head.',
        )
    return page.encode()


def pdf(facts: ReportFacts, templates: Path | None = None) -> bytes:
    """Make the report as PDF, by Typst with the fonts that it brings along."""
    typst = require("typst", "reports")
    values = template_values(facts)
    pictures = {f"plot-{number}.svg": svg for number, (_, svg) in enumerate(metric_pictures(facts, values["metrics"]))}
    moment = datetime.fromtimestamp(min(facts.asked.record.time, LATEST), UTC)
    data = {
        **{name: values[name] for name in ("record", "holders", "times", "run", "inputs", "verdicts")},
        **{name: values[name] for name in ("verification", "neverProven")},
        "metrics": [
            {
                "name": metric["name"],
                "shown": str(metric["value"]),
                "allowed": f"{'declared, ' if metric['declared'] else ''}not compared"
                if metric["tolerance"] is None
                else f"± {metric['tolerance']:.3g} {metric['wide'] or ''}".strip(),
                "again": [{"group": again["group"], "shown": str(again["value"])} for again in metric["again"]],
            }
            for metric in values["metrics"]
        ],
        "fields": [
            {**field, "title": values["titles"][name]}
            for name, field in values["fields"].items()
            if name not in ("transaction", "timestamp", "verification", "metrics", "dataset")
        ],
        "missing": list(facts.missing),
        "madeWith": made_with(facts),
        "plots": list(pictures),
        "picture": "lineage.svg",
        "date": list(moment.timetuple()[:6]),
    }
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        root = Path(scratch, "root")
        root.mkdir()
        (root / PAPER).write_text(template_source(PAPER, templates), encoding="utf-8")
        for name, svg in {**pictures, "lineage.svg": facts.lineage.svg(_DRAWN).encode()}.items():
            (root / name).write_bytes(svg)
        try:
            made = typst.compile(
                str(root / PAPER),
                root=str(root),
                ignore_system_fonts=True,
                sys_inputs={"data": json.dumps(_printable(data))},
                timestamp=int(moment.timestamp()),
                # nothing is fetched for a template: it has what lies beside it
                package_path=str(root),
                package_cache_path=str(Path(scratch, "cache")),
            )
        except Exception as error:  # of its own class, which is no part of its interface
            raise InputError(f"the template {PAPER} can't be used: {str(error)[:500]}") from None
    return bytes(made)


def made_with(facts: ReportFacts) -> list[tuple[str, str]]:
    """List what the run says of code, environment and machine, in a few lines."""
    if facts.run is None or facts.run.run is None:
        return []
    run = facts.run.run.to_json()
    code, environment = run.get("code", {}), run.get("environment", {})
    lines = [(name, code[key]) for name, key in _CODE if key in code]
    if "commit" in code:
        lines.append(("commit was", "not clean" if code.get("dirty") else "clean"))
    if "arguments" in code:
        lines.append(("arguments", " ".join(code["arguments"])))
    packages = environment.get("packages")
    if isinstance(packages, dict):
        lines.append(("packages", f"{len(packages)}, each with its version in the record"))
    lines += [(name, text) for name, text in flat(environment) if not name.startswith(("packages", "lock"))]
    if "lock" in environment:
        lines.append(("lock file", f"{environment['lock']['path']}, SHA-256 {environment['lock']['sha256']}"))
    lines += flat(run.get("hardware", {}))
    lines += [(f"{_TIMES[name]}, by the machine's clock or declared", run[name]) for name in _TIMES if name in run]
    return [(name, str(text)) for name, text in lines]


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {name: _printable(item) for name, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list | tuple) else value
