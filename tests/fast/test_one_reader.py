"""What a stranger can have written is read by one strict reader. Any other has a reason here."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.fast
PACKAGE = Path(__file__).resolve().parents[2] / "blockchaintracer"
READERS = {
    ("json", "loads"),
    ("json", "load"),
    ("yaml", "load"),
    ("yaml", "safe_load"),
    ("yaml", "load_all"),
    ("yaml", "safe_load_all"),
    ("yaml", "full_load"),
    ("yaml", "unsafe_load"),
    ("tomllib", "loads"),
    ("tomllib", "load"),
    ("ast", "literal_eval"),
}
OTHERS = {"loads_shallow", "JSONDecoder", "raw_decode", "model_validate_json", "pickle", "marshal"}
STRICT = "the reader itself"
PACKED = "a file of the package"
OWN = "written by this program or a library a moment before"
ALLOWED = {
    "core/plain_json.py": (2, "the strict reader itself, and `loads_shallow`, whose every use is counted here"),
    "lab/recording/run_document.py": (1, STRICT),
    "lab/capture/interpreter.py": (
        1,
        "what an installer and conda say of the interpreter that runs this; it imports no package",
    ),
    "lab/capture/locks.py": (1, "TOML's reader itself"),
    "lab/capture/notebook.py": (1, "the kernel's name of a notebook that the user runs; any fault is one error"),
    "lab/capture/run_notebook.py": (3, "a process of its own runs the notebook; values as papermill reads them"),
    "lab/capture/source_packages.py": (1, "TOML's reader itself, of a package that is built in the sandbox"),
    "lab/capture/workflows.py": (1, "Snakemake's notes of the user's own folder; any fault is one error"),
    "lab/store/collect_garbage.py": (1, OWN),
    "extras/check/claims.py": (1, "the second reading of what `parse_yaml` took, with each value as text"),
    "core/verify/bundle.py": (1, "only the one canonical form is taken, compared byte by byte"),
    "core/chain/endpoints.py": (1, "answers of a node: bounded in size and depth, and checked where they are used"),
    "core/chain/abi.py": (1, PACKED),
    "core/chain/reverts.py": (1, PACKED),
    "core/networks.py": (1, PACKED),
    "lab/devnet/install.py": (1, PACKED),
    "lab/estimate.py": (1, PACKED),
    "extras/exports/provenance.py": (1, OWN),
    "extras/frameworks/optuna.py": (1, OWN),
    "lab/capture/metric_files.py": (
        5,
        "a process of its own reads them, with limits; NaN and long numbers are metrics, too",
    ),
    "lab/bundle/exporter.py": (1, "a manifest that was checked; the exporter shares no reader with the verifier"),
    "lab/devnet/chain_state.py": (1, "the state that this user's anvil dumped; its numbers are longer than JSON's"),
    "lab/devnet/keeper.py": (1, "a note of the node's own start; the keeper takes the standard library alone"),
    "lab/devnet/node.py": (1, "a note of the node's own start"),
    "lab/devnet/rpc.py": (1, "answers of the node on this machine; the keeper takes the standard library alone"),
    "lab/outbox/journal.py": (2, "rows of the home's own database, whose amounts are longer than JSON's numbers"),
}


def readers(file: Path) -> Iterator[str]:
    """Each place where a file reads JSON, YAML, TOML or Python literals by itself."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in READERS:
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module in {"json", "yaml", "tomllib", "ast"}:
            yield from (alias.name for alias in node.names if (node.module, alias.name) in READERS)
        if (isinstance(node, ast.Attribute) and node.attr in OTHERS) or (
            isinstance(node, ast.Name) and node.id in OTHERS
        ):
            yield ast.unparse(node)
        if isinstance(node, ast.Call) and ast.unparse(node).endswith(".json()"):
            yield ast.unparse(node)


def test_every_reader_is_the_strict_one_or_has_a_reason() -> None:
    found = Counter(
        {file.relative_to(PACKAGE).as_posix(): len([*readers(file)]) for file in sorted(PACKAGE.rglob("*.py"))}
    )
    assert +found == Counter({name: count for name, (count, _) in ALLOWED.items()})


@pytest.mark.parametrize(
    "text", ["json.loads(x)", "from yaml import safe_load", "reply.json()", "import pickle\npickle.loads(x)"]
)
def test_the_search_finds_a_reader(text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(text)
    assert [*readers(file)]
