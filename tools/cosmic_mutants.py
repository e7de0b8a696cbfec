"""Prints a sample of the mutants that Cosmic Ray makes of a file, as JSON. Runs in the environment of `mutate_core`."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from pathlib import Path

from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

SAME = ("core/ReplaceComparisonOperator_Is_Eq", "core/ReplaceComparisonOperator_IsNot_NotEq")
"""Operators that change nothing: what is compared by identity here is None, or a member of an enumeration."""


def never_run(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Ranges of a file where a change is none, or none that a test can notice: annotations, which are not evaluated,
    decorators, and the heads of functions and classes, where Cosmic Ray takes a star for a multiplication."""
    ranges = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min((part.lineno for part in node.decorator_list), default=node.lineno)
            ranges.append(((first, 0), (node.body[0].lineno, 0)))
        elif isinstance(node, ast.AnnAssign):
            part = node.annotation
            ranges.append(((part.lineno, part.col_offset), (part.end_lineno or 0, part.end_col_offset or 0)))
    return ranges


def main(path: str, count: int, seed: str) -> None:
    source = Path(path).read_text()
    skipped = never_run(source)
    specs = [item.mutations[0] for item in _all_work_items([Path(path)], {})]
    specs = [spec for spec in specs if spec.operator_name not in SAME]
    specs = [spec for spec in specs if not any(first <= spec.start_pos < end for first, end in skipped)]
    # the order is random, and the same for the same seed
    specs.sort(key=lambda it: hashlib.sha256(f"{seed} {it.operator_name} {it.occurrence}".encode()).digest())
    made: dict[str, str] = {}
    for spec in specs:
        if len(made) == count:
            break
        code = mutate_code(source, get_operator(spec.operator_name)(), spec.occurrence)
        if code not in (None, source):
            made.setdefault(code, spec.operator_name.removeprefix("core/"))
    json.dump({"all": len(specs), "mutants": made}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
