"""Templates in a sandbox. What they show is a stranger's text: it is escaped for the medium, and never run.

A user's folder may hold templates of the same names, which are taken instead. They get plain values only, in Jinja's
immutable sandbox, and can include nothing from outside of the folder.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import printable

NAMES = ("model-card.md.j2", "dataset-card.md.j2", "report.html.j2", "report.css", "report.typ")
MODEL_CARD, DATASET_CARD, PAGE, STYLE, PAPER = NAMES
_MAX_TEMPLATE = 1 << 20
_NUMBERED = re.compile(r"^(\d+)(?=[.)](\s|$))")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]#!|<>&~$@^]|:(?=[^\s\d])|(?<=www)\.|^[-+=]")


def markdown(text: str) -> str:
    """Write text as one line of Markdown that renders as that text: without markup, HTML, links or table cells.

    CommonMark 0.31, section 2.4: any ASCII punctuation may have a backslash before it.
    """
    line = " ".join(printable(text).split())
    return _NUMBERED.sub(r"\1\\", _MARKDOWN.sub(lambda match: f"\\{match[0]}", line))


def template_source(name: str, folder: Path | None) -> str:
    """Read a template: the user's, if the folder has one of the name, else this package's."""
    if folder is not None:
        root = folder.resolve()
        file = (root / name).resolve()
        if not file.is_relative_to(root):
            raise InputError(f"expected a template inside {folder}, got {name!r}, which leads outside of it")
        if file.is_file():
            try:
                return read_limited(file, _MAX_TEMPLATE, "a template").decode()
            except UnicodeDecodeError:
                raise InputError(f"expected a template in UTF-8 at {file}") from None
    if name not in NAMES:
        raise InputError(f"expected one of the templates {', '.join(NAMES)}, got {name!r}")
    return (resources.files("blockchaintracer.extras.report") / "templates" / name).read_text(encoding="utf-8")


def render(name: str, values: dict[str, Any], folder: Path | None = None) -> str:
    """Fill a template with values.

    Args:
        name: one of `NAMES`; its suffix before ``.j2`` says how text is escaped.
        values: plain values; a `markupsafe.Markup` among them is not escaped.
    """
    sandbox = require("jinja2.sandbox", "reports")
    jinja2 = require("jinja2", "reports")
    is_html = name.endswith(".html.j2")
    escape = printable if is_html else markdown

    def finalize(value: Any) -> Any:
        return value if hasattr(value, "__html__") else escape("" if value is None else str(value))

    environment = sandbox.ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(lambda included: template_source(included, folder)),
        autoescape=is_html,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.clear()
    try:
        return str(environment.get_template(name).render(values))
    except jinja2.TemplateError as error:
        line = f", line {error.lineno}" if getattr(error, "lineno", None) else ""
        raise InputError(
            f"the template {name}{line} can't be used: {type(error).__name__}: {str(error)[:300]}",
            hint="Templates see plain values and Jinja's own filters; nothing else.",
        ) from None
    except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
        raise InputError(f"the template {name} can't be used: {type(error).__name__}: {str(error)[:300]}") from None
