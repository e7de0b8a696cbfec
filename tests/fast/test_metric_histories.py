"""Histories of metrics in a document."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.recording.run_document import (
    MAX_DOCUMENT,
    MAX_POINTS,
    RunDocument,
    load_run_document,
)

DOCUMENT: dict[str, Any] = {"schema": 1, "name": "r", "metrics": {"loss": 0.5, "accuracy": 0.5}}


def test_the_largest_histories_fit_a_document() -> None:
    steps = tuple(range(2**53 - 1 - MAX_POINTS, 2**53 - 1))
    wide = {"steps": steps, "values": [-1.2345678901234567e-300] * MAX_POINTS, "times": [10**13] * MAX_POINTS}
    document = RunDocument.from_plain({**DOCUMENT, "histories": {"loss": wide}})
    from blockchaintracer.lab.recording.run import document_text

    assert len(document_text(document)) < MAX_DOCUMENT
    with TemporaryDirectory() as folder:
        file = Path(folder, "run.json")
        file.write_text(document_text(document))
        assert load_run_document(file) == document


@pytest.mark.parametrize(
    ("histories", "field"),
    [
        ({"loss": {"steps": [1, 1], "values": [0.5, 0.5], "times": [1, 1]}}, "steps"),
        ({"loss": {"steps": [2, 1], "values": [0.5, 0.5], "times": [1, 1]}}, "steps"),
        ({"loss": {"steps": [-1], "values": [0.5], "times": [1]}}, "steps"),
        ({"loss": {"steps": [], "values": [], "times": []}}, "steps"),
        ({"loss": {"steps": [1, 2], "values": [0.5], "times": [1, 2]}}, "values"),
        ({"loss": {"steps": [1], "values": [0.5], "times": [1, 2]}}, "times"),
        ({"loss": {"steps": [1], "values": ["high"], "times": [1]}}, "values"),
        ({"absent": {"steps": [1], "values": [0.5], "times": [1]}}, "absent"),
        (
            {
                name: {
                    "steps": [*range(MAX_POINTS // 2 + 1)],
                    "values": [0.5] * (MAX_POINTS // 2 + 1),
                    "times": [1] * (MAX_POINTS // 2 + 1),
                }
                for name in ("loss", "accuracy")
            },
            "together",
        ),
    ],
)
def test_a_document_with_histories_that_are_none_is_refused(histories: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError, match=f"histories.*{field}"):
        RunDocument.from_plain({**DOCUMENT, "histories": histories})
