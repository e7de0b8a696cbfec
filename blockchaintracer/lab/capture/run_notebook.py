"""Runs a Jupyter notebook as a program: a script that imports nothing of this package, so that it runs shut in.

It writes the executed notebook and its figures to a folder, prints what the cells print, and tells parameters, metrics
and outputs in a run document. A notebook tells metrics by scrapbook, by papermill's old records, or by a last cell that
gives a dict of numbers. The kernel of a Python notebook is that of one interpreter; another language's is looked up.
"""

from __future__ import annotations

import argparse
import ast
import base64
import json
import logging
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

RUN_FILE = "BLOCKCHAINTRACER_RUN_FILE"
SCRAP, PAPERMILL = "application/scrapbook.scrap.json+json", "application/papermill.record+json"
FIGURES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/svg+xml": "svg",
    "application/pdf": "pdf",
}
MOST_FIGURES = 200
_NUMPY = re.compile(r"\b(?:np|numpy)\.\w+\(([-+.\w]+)\)")


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Read what stands after the notebook, as papermill has it."""
    parser = argparse.ArgumentParser(prog="NOTEBOOK.ipynb", allow_abbrev=False, exit_on_error=False)
    parser.add_argument("-p", "--parameters", nargs="+", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("-k", "--kernel")
    return parser.parse_args(given)


def parameters(given: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters: ``-p NAME VALUE`` as papermill has it, or ``-p NAME=VALUE``, once or several times."""
    values = {}
    for words in given.parameters:
        pairs = [words] if len(words) == 2 and "=" not in words[0] else [word.split("=", 1) for word in words]
        for pair in pairs:
            if len(pair) != 2 or not pair[0].isidentifier():
                raise ValueError(f"expected a parameter as -p NAME=VALUE, got {' '.join(words)!r}")
            values[pair[0]] = _value(pair[1])
    return values


def _value(text: str) -> Any:
    """A number, truth value or None where it reads as one in Python or JSON, else the text."""
    plain = {"true": True, "false": False, "null": None}
    try:
        value = plain[text] if text in plain else ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if value is None or isinstance(value, bool | int | float | str | list | dict) else text


def metrics(notebook: Any) -> dict[str, float]:
    """Return the finite numbers that a notebook tells."""
    told: dict[str, float] = {}
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for cell in cells:
        for output in cell.outputs:
            data = output.get("data", {})
            if isinstance(scrap := data.get(SCRAP), dict):
                told |= _numbers(scrap.get("data"), str(scrap.get("name")))
            if isinstance(record := data.get(PAPERMILL), dict):
                told |= _numbers(record, "")
    for output in cells[-1].outputs if cells else ():
        if output.output_type == "execute_result":
            told |= _numbers(_dict_of(output.data), "")
    return told


def _dict_of(data: Any) -> Any:
    if "application/json" in data:
        return data["application/json"]
    try:
        value = ast.literal_eval(_NUMPY.sub(r"\1", data.get("text/plain", "")))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _numbers(value: Any, name: str) -> dict[str, float]:
    if isinstance(value, dict):
        return {
            key: number
            for inner, part in value.items()
            for key, number in _numbers(part, f"{name}.{inner}" if name else str(inner)).items()
        }
    if isinstance(value, bool) or not isinstance(value, int | float) or not name:
        return {}
    if not math.isfinite(value):
        print(f"the metric {name} is {value}, which is no number to compare", file=sys.stderr)
        return {}
    return {name: value}


def figures(notebook: Any, folder: Path) -> Iterator[Path]:
    """Write the figures of a notebook into a folder, each named by its cell."""
    count = 0
    for place, cell in enumerate(notebook.cells, 1):
        images = (
            (kind, data)
            for output in cell.get("outputs", ())
            for kind, data in output.get("data", {}).items()
            if kind in FIGURES
        )
        for number, (kind, data) in enumerate(images, 1):
            count += 1
            if count > MOST_FIGURES:
                print(f"only the first {MOST_FIGURES} figures are kept", file=sys.stderr)
                return
            text = data if isinstance(data, str) else "".join(data)
            path = folder / f"cell-{place:03}-{number}.{FIGURES[kind]}"
            path.write_bytes(text.encode() if kind == "image/svg+xml" else base64.b64decode(text))
            yield path


def run(notebook: Any, folder: Path, kernel: str, python: str) -> str | None:
    """Run all cells in a folder, and show what they print. Returns what failed, or None."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    def show(cell: Any, cell_index: int, **_: Any) -> None:
        for output in cell.get("outputs", ()):
            text = output.get("text") or output.get("data", {}).get("text/plain")
            if text:
                stream = sys.stderr if output.get("name") == "stderr" else sys.stdout
                print(text, end="" if text.endswith("\n") else "\n", file=stream, flush=True)

    with tempfile.TemporaryDirectory() as specifications:
        found = KernelSpecManager()
        if python:
            # the one interpreter whose packages are recorded, whatever is registered under the name
            own = Path(specifications, kernel)
            own.mkdir()
            # its warnings are about the kernel, and none about the notebook
            command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
            (own / "kernel.json").write_text(
                json.dumps({"argv": command, "display_name": kernel, "language": "python"})
            )
            found = KernelSpecManager(kernel_dirs=[specifications], ensure_native_kernel=False)
        manager = AsyncKernelManager(kernel_name=kernel, kernel_spec_manager=found)
        resources = {"metadata": {"path": str(folder)}}
        client = NotebookClient(
            notebook, km=manager, kernel_name=kernel, timeout=None, resources=resources, on_cell_executed=show
        )
        try:
            client.execute()
        except NoSuchKernel:
            return f"the kernel {kernel!r} of the notebook is not installed here"
        except CellExecutionError as error:
            place = next((i for i, cell in enumerate(notebook.cells) if _failed(cell)), len(notebook.cells) - 1)
            print(f"cell {place + 1} failed:\n{notebook.cells[place].source}\n\n{error.traceback}", file=sys.stderr)
            return f"cell {place + 1} failed: {error.ename}: {error.evalue}"
        except (DeadKernelError, RuntimeError) as error:
            return f"the kernel ended: {error}. Is ipykernel installed in its environment, and is it in the lock?"
    return None


def _failed(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", ()))


def main() -> int:
    """Run the notebook. Returns the exit code: 1 if a cell failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("given", nargs=argparse.REMAINDER)
    options = parser.parse_args()

    import nbformat
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    logging.disable(logging.WARNING)
    path, out = options.notebook.resolve(), options.out
    given = arguments(options.given)
    values = parameters(given)
    notebook = load_notebook_node(str(path))
    for cell in notebook.cells:
        # what a cell showed when it was saved is no finding of this run, if the cell is skipped
        cell.update({"outputs": [], "execution_count": None} if cell.cell_type == "code" else {})
    described = notebook.metadata.get("kernelspec", {})
    kernel = given.kernel or described.get("name") or "python3"
    if values:
        if not any("parameters" in cell.metadata.get("tags", ()) for cell in notebook.cells):
            print("no cell is tagged `parameters`: the values are set before the first cell", file=sys.stderr)
        notebook = parameterize_notebook(
            notebook, values, kernel_name=kernel, language=described.get("language") or "python"
        )
    problem = run(notebook, path.parent, re.sub(r"[^\w.-]", "_", kernel), options.python)
    executed = out / path.name
    nbformat.write(notebook, executed)  # type: ignore[no-untyped-call]
    outputs = [{"path": str(executed), "role": "notebook"}]
    outputs += [{"path": str(figure), "role": "figure"} for figure in figures(notebook, out)]
    document: dict[str, Any] = {"schema": 1, "name": path.stem, "parameters": values, "metrics": metrics(notebook)}
    if problem:
        document["error"] = re.sub(r"\x1b\[[0-9;]*m", "", problem)[:2000]
        print(document["error"], file=sys.stderr)
    if target := os.environ.get(RUN_FILE):
        # a cell may have told a run document by itself
        with open(target) if os.path.exists(target) else open(os.devnull) as file:
            own = json.loads(file.read() or "{}")
        for name in ("parameters", "metrics"):
            document[name] = {**document[name], **own.get(name, {})}
        document["outputs"] = [*own.get("outputs", ()), *outputs]
        Path(target).write_text(json.dumps({**own, **document}))
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
