"""What both programs of this example share: their arguments, their JSON, and the document that describes a run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetch import GW150914, VARIABLE, RunError

RUN_FILE = "BLOCKCHAINTRACER_RUN_FILE"


@dataclass(frozen=True)
class Arguments:
    """Where the data lie, where results go, the seed of everything random, and the event to look for."""

    data: Path | None
    out: Path
    seed: int
    event: str = GW150914


def main(program: Callable[[Arguments], None], description: str | None) -> None:
    """Runs a program with ``--event --data --out --seed``; a refusal goes to stderr and becomes the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help=f"folder with the four files (default: ${VARIABLE}, else a cache)")
    parser.add_argument("--event", default=GW150914, metavar="NAME", help="as the events file has it (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--seed", type=int, default=150914, help="seed of everything random (default: %(default)s)")
    given = parser.parse_args()
    if given.seed < 0:
        parser.error(f"--seed: expected 0 or more, got {given.seed}")
    try:
        program(Arguments(given.data, given.out.resolve(), given.seed, given.event))
    except RunError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def metric(value: float, *, absolute: float) -> dict[str, Any]:
    """A value and how far a reproduction may lie from it."""
    return {"value": float(value), "tolerance": {"absolute": absolute}}


def write_json(path: Path, content: Any) -> Path:
    """Writes JSON whose bytes depend on the content alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    return path


def write_run(
    arguments: Arguments,
    *,
    name: str,
    parameters: dict[str, Any],
    metrics: dict[str, dict[str, Any]],
    inputs: dict[str, Path],
    outputs: dict[str, Path],
) -> None:
    """Writes the run document to ``$BLOCKCHAINTRACER_RUN_FILE``, else to ``run.json`` in the output folder.

    Args:
        inputs: path by name of what was read.
        outputs: path by role of what was written.
    """
    write_json(
        Path(os.environ.get(RUN_FILE) or arguments.out / "run.json"),
        {
            "schema": 1,
            "name": name,
            "parameters": parameters,
            "metrics": metrics,
            "seeds": {"numpy": arguments.seed},
            "inputs": [{"name": name, "path": str(path)} for name, path in inputs.items()],
            "outputs": [{"role": role, "path": str(path)} for role, path in outputs.items()],
        },
    )
