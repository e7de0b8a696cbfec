"""How the package is built: lines, what a verifier loads, rings and circles. `make lint` holds the limits.

Reads imports as text; `python tools/structure.py` prints every figure, and exits with 1 if one is over its limit.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "blockchaintracer"
ENTRY = f"{PACKAGE}.core.api"
# core should have 8,500 lines. What it has above that is what strangers give (proofs, seals, batches, sources, signed
# writes), its own reader of nodes in place of web3, and what holds where a node has forgotten events or limits answers:
# keys, receipts and proofs that are kept or published; and the one comparison of metrics that all show. The package
# should have 40,000. What it has above that is what running strangers' programs as they are takes: the sandbox and its
# builds, readers of other tools' locks, metrics, workflows and notebooks, what a program was seen to read, and secrets;
# and, each an extra that nobody has to load: who (identities, tokens, communities), when (witnesses, renewals), serve
LIMITS = {"core": 10_563, "package": 69_774, "extra": 2_500}
SAME_FOR_USERS = {"BlockchainTracerCallback"}
"""Class names that users import from several doors, one a framework."""
STANDARD = set(sys.stdlib_module_names) - {"sqlite3", "subprocess"}
CORE_NEEDS = {"click", "eth_hash", "eth_keys", "pydantic", "requests", "rfc8785", "rlp", "trie"} | {
    "typing_extensions", "urllib3"
}  # fmt: skip


def modules() -> dict[str, Path]:
    """Name and file of every module that git tracks or would track."""
    command = ["git", "ls-files", "-co", "--exclude-standard", f"{PACKAGE}/*.py"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    files = [ROOT / name for name in sorted(listed) if (ROOT / name).exists()]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imports(name: str, file: Path, known: dict[str, Path]) -> Iterator[tuple[str, bool]]:
    """Yield each module that a file imports, and whether it's imported when the file is."""
    tree = ast.parse(file.read_bytes())
    late = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.If)
        and not (isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test))
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        early = id(node) not in late
        if isinstance(node, ast.Import):
            yield from ((alias.name, early) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in known else node.module), early


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Give the sets of files that import each other (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    rings: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for target in sorted(arrows[name]):
            if target not in order:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], order[target])
        if low[name] == order[name]:
            ring = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(ring) > 1:
                rings.append(sorted(ring))

    for name in sorted(arrows):
        if name not in order:
            visit(name)
    return rings


def main() -> int:
    known = modules()
    lines = {name: file.read_bytes().count(b"\n") for name, file in known.items()}
    arrows: dict[str, set[str]] = defaultdict(set)
    early: dict[str, set[str]] = defaultdict(set)
    problems: list[str] = []
    for name, file in known.items():
        # an __init__ that only hands on names is no file of its own: what imports it means the file behind
        for target, at_import in imports(name, file, known):
            if target in known and name not in {target, PACKAGE}:
                arrows[name].add(target)
                if at_import:
                    early[name].add(target)
            problems += [f"{name} imports {target}" for _ in [0] if not allowed(name, target)]

    for ring in circles(arrows):
        problems.append(f"circle: {', '.join(ring)}")
    closure, waiting = set(), [ENTRY]
    while waiting:
        name = waiting.pop()
        if name not in closure:
            closure.add(name)
            waiting += early[name]

    def count(prefix: str) -> int:
        return sum(number for name, number in lines.items() if f"{name}.".startswith(f"{prefix}."))

    extras = sorted({name.split(".")[2] for name in known if name.startswith(f"{PACKAGE}.extras.")})
    rows = [
        ("core", count(f"{PACKAGE}.core"), LIMITS["core"]),
        ("whole package", sum(lines.values()), LIMITS["package"]),
    ]
    rows += [(f"extras/{extra}", count(f"{PACKAGE}.extras.{extra}"), LIMITS["extra"]) for extra in extras]
    for what, number, limit in rows:
        print(f"{what:24} {number:7,} lines, at most {limit:,}")
        if number > limit:
            problems.append(f"{what} has {number:,} lines, at most {limit:,} are allowed")
    print(f"{'a verifier loads':24} {sum(lines[name] for name in closure):7,} lines in {len(closure)} files")
    stems = Counter(file.stem for file in known.values() if file.stem != "__init__" and not is_door(file))
    twice = [stem for stem, number in stems.items() if number > 1]
    print(f"{'file names twice':24} {len(twice):7,} {' '.join(twice)}".rstrip())
    shared = repeated_classes(known)
    print(f"{'class names twice':24} {len(shared):7,} {' '.join(shared)}".rstrip())
    problems += [f"class {name} exists in {' and '.join(files)}" for name, files in shared.items()]
    print(f"{'circles':24} {len(circles(arrows)):7,}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return bool(problems)


def repeated_classes(known: dict[str, Path]) -> dict[str, list[str]]:
    """Map each class name that exists more than once to the modules that have it."""
    modules_of: dict[str, list[str]] = defaultdict(list)
    for name, file in known.items():
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.ClassDef) and node.name not in SAME_FOR_USERS:
                modules_of[node.name].append(name)
    return {name: found for name, found in sorted(modules_of.items()) if len(found) > 1}


def is_door(file: Path) -> bool:
    """Say whether a file only gives a public name to code that stands elsewhere."""
    return file.parent.name in ("integrations", "mlflow") and file.parent.parent.name == PACKAGE


def allowed(name: str, target: str) -> bool:
    """Say whether a module may import another: core needs no lab and no optional package, libraries no command line,
    and nothing needs web3, which takes longer to load than any verb that reads takes in all."""
    ring = name.split(".")[1] if "." in name else ""
    top = target.partition(".")[0]
    if top == "web3":
        return False
    if ring == "core":
        return target.startswith(f"{PACKAGE}.core") if top == PACKAGE else top in STANDARD | CORE_NEEDS
    if ring == "extras" and target.startswith(f"{PACKAGE}.cli"):
        return name.rsplit(".", 1)[-1].startswith("verb_")
    return True


if __name__ == "__main__":
    sys.exit(main())
