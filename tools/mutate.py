"""Changes the contracts in every small way, one at a time, and asks whether a test notices: `make mutate`.

Mutants are compiled without optimizer, which is the fastest, and judged by the tests that run contracts in process.
What they let through is compiled as it is shipped: if its bytecode equals the original's, the change is none; otherwise
the tests that need a node judge it. Results are kept in tests/results and are used again as long as the mutant and
the tests that judged it are the same. docs/mutation.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from compiler import COMPILER, ROOT, SOLIDITY
from mutants import Mutant, mutants
from results import Results, contracts, digest, imports

BUILD = ROOT / ".build" / "mutation"
EXPLAINED = ROOT / "tests" / "mutation" / "survivors.yaml"
REGISTRY = "contracts/LabRegistry.sol"
FACTORY = "contracts/LabRegistryFactory.sol"
OF_FACTORY = "tests/evm/test_factory.py"
"""They hold its code against the registry's, so they would notice any change to the registry."""
OUTPUT = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"]
DEEP = ("tests/contracts/Accounts.sol",)
"""Files that need the optimizer to compile at all. They import nothing of ours, so no mutant changes them."""
LEAST = 0.95

FAST = (
    "tests/evm/property",
    "tests/findings",
    "tests/evm/consumers",
    OF_FACTORY,
    "tests/evm/test_registry_lens.py",
    "tests/mutation/histories.py",
)
"""Tests that run the contracts in process."""
SLOW = tuple(
    f"tests/node/contracts/test_{name}.py"
    for name in ("records", "groups", "attestations", "registry", "seals", "batches", "lineage", "foreign")
)
"""Tests that need a node, for what the fast ones let through."""
SKIPPED = {
    "test_shipped_code.py": "any change at all",
    "test_machine.py": "other histories each time: tests/mutation/histories.py runs the same machine",
    "test_a_node_that_asks_too_much.py": "the client",
    "test_ids_after_a_reorg.py": "needs a node",
    "test_delegated_account.py": "needs a node",
    "test_lab_shared_by_processes.py": "the client",
    "test_overtaken_write_blocks_nothing.py": "the client",
    "test_reproducing_hostile_manifests.py": "the client",
    "test_events_of_an_impostor.py": "the client",
    "test_a_store_that_points_elsewhere.py": "the client",
    "test_a_private_value_that_is_shown_too.py": "the client",
    "test_an_archive_tells_no_order.py": "the client",
}
PRELOADED = (
    "ape",
    "coincurve",
    "eth_abi",
    "hypothesis.stateful",
    "pyrevm",
    "pytest",
    "tests.support.actors",
    "tests.support.evm",
    "web3",
)
SECONDS = 180
"""CPU time after which a mutant counts as noticed: the tests of the original take a third of it."""
IDLE_S = 30
"""Seconds without a second of CPU time after which it only waits for what no longer comes."""


class Result(NamedTuple):
    """What became of a mutant: killed (by which test), survived, equivalent or invalid; or unnoticed so far, when the
    tests that need a node are still to come."""

    verdict: str
    by: str


# compiling


class Sources:
    """The contracts as they stood when the campaign began."""

    def __init__(self, texts: dict[str, bytes]) -> None:
        self.texts = texts
        self.digests = {path: hashlib.sha256(text).hexdigest() for path, text in texts.items()}
        self.trees: dict[str, Any] = {}
        self.compiled: dict[str, Any] = {}
        ours = ("contracts/", "interfaces/", "tests/contracts/")
        for shipped in (False, True):
            part = {path: text for path, text in texts.items() if (path in DEEP) == shipped}
            if part:
                output = self.compile(part, {"*": {"": ["ast"], "*": OUTPUT}}, shipped=shipped)
                self.trees |= {path: entry["ast"] for path, entry in output["sources"].items()}
                self.compiled |= {path: it for path, it in output["contracts"].items() if path.startswith(ours)}

    @classmethod
    def in_the_tree(cls) -> Sources:
        folders = ("contracts", "interfaces", "tests/contracts")
        files = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.sol"))
        return cls({path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files})

    def compile(self, texts: dict[str, bytes], selection: dict[str, Any], *, shipped: bool) -> dict[str, Any]:
        """Compiler output, as it is shipped or as fast as can be.

        Raises:
            ValueError: if it does not compile.
        """
        request = {
            "language": "Solidity",
            "sources": {path: {"content": text.decode()} for path, text in texts.items()},
            "settings": {
                "viaIR": shipped and SOLIDITY["via_ir"],
                "evmVersion": SOLIDITY["evm_version"],
                "optimizer": {"enabled": shipped, "runs": SOLIDITY["optimization_runs"]},
                "remappings": SOLIDITY["import_remapping"],
                # its hash of the source would make every mutant's code differ
                "metadata": {"appendCBOR": False},
                "outputSelection": selection,
            },
        }
        command = [COMPILER, "--standard-json", "--base-path", ROOT]
        done = subprocess.run(command, cwd=ROOT, input=json.dumps(request), capture_output=True, text=True, check=True)
        output: dict[str, Any] = json.loads(done.stdout)
        if errors := [error["formattedMessage"] for error in output.get("errors", []) if error["severity"] == "error"]:
            raise ValueError("\n".join(errors))
        return output

    def part(self, path: str, *, shipped: bool, text: bytes | None = None) -> dict[str, Any]:
        """The contracts that a file is part of, compiled by themselves; `text` replaces the file's."""
        roots = self.deployed(path)
        needed = set().union(*map(self.imports, roots)) & self.texts.keys()
        texts = {name: self.texts[name] for name in sorted(needed)} | ({path: text} if text is not None else {})
        output = self.compile(texts, {root: {"*": OUTPUT} for root in roots}, shipped=shipped)["contracts"]
        return {root: output.get(root, {}) for root in roots}

    @functools.cache  # noqa: B019, lives as long as the campaign
    def code(self, path: str, *, shipped: bool) -> list[str]:
        """The original's bytecode, made of the same sources as a mutant's: with others it could differ."""
        return bytecode(self.part(path, shipped=shipped))

    @functools.cached_property
    def shipped(self) -> dict[str, Any]:
        """`compiled` as it is shipped."""
        output = self.compile(self.texts, {"*": {"*": OUTPUT}}, shipped=True)["contracts"]
        return {path: output[path] for path in self.compiled}

    def deployed(self, path: str) -> list[str]:
        """The files whose contracts a file is part of; the registry alone if it is part of that."""
        reached = {
            root: self.imports(root) for root in self.texts if root.startswith(("contracts/", "tests/contracts/"))
        }
        roots = [root for root, files in reached.items() if path in files]
        return [REGISTRY] if REGISTRY in roots else roots

    def imports(self, path: str) -> set[str]:
        found, waiting = set(), [path]
        while waiting:
            if (file := waiting.pop()) not in found:
                found.add(file)
                nodes = self.trees[file]["nodes"] if file in self.trees else []
                waiting += [node["absolutePath"] for node in nodes if node["nodeType"] == "ImportDirective"]
        return found


# judging


class Wanted(NamedTuple):
    """What a process of tests is to run: on which compiler output, which tests first, and what to leave out."""

    compiled: str
    first: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    seconds: dict[str, float] | None = None
    """What each test took on the original: the quickest come first."""
    to_the_end: bool = False


class Forks:
    """A pytest plugin: when the tests are collected, forks for each request and runs them there.

    To collect them takes as long as most mutants live.
    """

    def __init__(self, parent: Connection) -> None:
        self.parent = parent
        self.failed: list[str] = []
        self.seconds: Counter[str] = Counter()

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            raise RuntimeError(f"{report.nodeid} can't be collected")

    def pytest_runtestloop(self, session: Any) -> object:
        from tests.support.artifacts import artifact

        if artifact.cache_info().currsize:
            raise RuntimeError("expected no contract to be read before the tests run: it would be the original's")
        while True:
            try:
                wanted: Wanted = self.parent.recv()
            except EOFError:
                return True
            if (child := os.fork()) == 0:
                self.choose(wanted, session)
                return None
            if status := os.waitpid(child, 0)[1]:
                self.parent.send(os.waitstatus_to_exitcode(status))

    def choose(self, wanted: Wanted, session: Any) -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, 2 * SECONDS))
        # a mutant that never ends may fill memory before its time is over
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        threading.Thread(target=_end_if_idle, daemon=True).start()
        os.environ["COMPILED_CONTRACTS"] = wanted.compiled
        session.config.option.maxfail = 0 if wanted.to_the_end else 1
        items = [item for item in session.items if item.nodeid not in wanted.left_out]
        order, known = {name: place for place, name in enumerate(wanted.first)}, wanted.seconds or {}
        items.sort(key=lambda item: (order.get(item.nodeid, len(order)), known.get(item.nodeid, 0)))
        session.items[:] = items

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.append(report.nodeid)


def _end_if_idle() -> None:
    while True:
        used = time.process_time()
        time.sleep(IDLE_S)
        if time.process_time() - used < 1:
            os.kill(os.getpid(), signal.SIGXCPU)


def serve(parent: Connection) -> None:
    """Collects the fast tests and runs them as often as it is asked, each time in a process of its own."""
    import hypothesis
    import pyrevm
    import pytest

    # without the optimizer the code is larger than a chain takes
    pyrevm.CfgEnv = functools.partial(pyrevm.CfgEnv, limit_contract_code_size=1 << 20)
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile("mutants", database=None, derandomize=True, deadline=None, phases=phases)
    hypothesis.settings.load_profile("mutants")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    # nobody reads what they say, only whether they fail
    quick = [
        "--assert=plain",
        *(f"-pno:{name}" for name in ("ape_test", "cacheprovider", "unraisableexception", "xdist")),
    ]
    in_process = ("-m", "not (node or live or fast)")
    server, forks = os.getpid(), Forks(parent)
    pytest.main([*quick, *in_process, "--rootdir", str(ROOT), *_files(FAST)], plugins=[forks])
    if os.getpid() != server:
        parent.send((forks.failed, dict(forks.seconds)))
        os._exit(0)


class Judge:
    """Runs the tests on mutants and knows what they say of the original."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._context = multiprocessing.get_context("forkserver")
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self._context.set_forkserver_preload(list(PRELOADED))
        self._servers = threading.local()
        self._killers: dict[tuple[str, str], str] = {}
        with _written(sources.compiled) as given:
            failed, self.seconds = self._fast(Wanted(given, to_the_end=True))
        self.left_out = frozenset(failed)
        self._first_survivor = threading.Lock()
        self._slow_left_out: list[str] | None = None

    def in_process(self, mutant: Mutant, first: str) -> tuple[str, str]:
        """The verdict and the test that gave it; `unnoticed` is none yet."""
        text = mutant.apply(self.sources.texts[mutant.path])
        function = mutant.path, mutant.name.partition(": ")[0]
        try:
            changed = self.sources.part(mutant.path, shipped=False, text=text)
        except ValueError:
            return "invalid", ""
        if bytecode(changed) == self.sources.code(mutant.path, shipped=False):
            return "equivalent", ""
        try:
            with _written(self.sources.compiled | changed) as given:
                # what noticed one change of a function often notices the next, or one elsewhere in the file
                of_file = {test for (path, _), test in self._killers.copy().items() if path == mutant.path}
                likely = [first or self._killers.get(function, ""), *sorted(of_file, key=self.seconds.__getitem__)]
                first_ones = tuple(dict.fromkeys(likely))
                failed, _ = self._fast(Wanted(given, first_ones, self._no_judges(mutant), self.seconds))
        except TimeoutError:
            return "killed", "time"
        if failed:
            if failed[0] not in self.seconds:
                raise RuntimeError(f"{failed[0]} fails, which was not there when the original was tested")
            self._killers[function] = failed[0]
            return "killed", failed[0]
        return "unnoticed", ""

    def on_a_node(self, mutant: Mutant, _first: str) -> tuple[str, str]:
        """The verdict of what no test in process noticed, and the test that gave it."""
        text = mutant.apply(self.sources.texts[mutant.path])
        changed = self.sources.part(mutant.path, shipped=True, text=text)
        if bytecode(changed) == self.sources.code(mutant.path, shipped=True):
            return "equivalent", ""
        # that a part is too large shows in the code that is shipped alone
        files = [*self._concerned(mutant, _files(SLOW)), *([OF_FACTORY] if mutant.path == FACTORY else [])]
        if not files:
            return "survived", ""
        with self._first_survivor:
            if self._slow_left_out is None:
                self._slow_left_out = self._slow(self.sources.shipped, *_files(SLOW), OF_FACTORY)
        options = ["-x", *(f"--deselect={test}" for test in self._slow_left_out)]
        failed = self._slow(self.sources.shipped | changed, *options, *files)
        return ("killed", failed[0]) if failed else ("survived", "")

    def _no_judges(self, mutant: Mutant) -> frozenset[str]:
        files = set(self._concerned(mutant, _files(FAST))) - ({OF_FACTORY} if mutant.path != FACTORY else set())
        return self.left_out.union(test for test in self.seconds if test.partition("::")[0] not in files)

    def _concerned(self, mutant: Mutant, tests: list[str]) -> list[str]:
        """The test files that name a contract which the change is part of, or import what does. No other deploys it."""
        names = [name for root in self.sources.deployed(mutant.path) for name in self.sources.compiled.get(root, {})]
        return [test for test in tests if any(name in _text(test) for name in names)]

    def _fast(self, wanted: Wanted) -> tuple[list[str], dict[str, float]]:
        """Which tests failed, and the time that each took. Each thread has a process that collected the tests.

        Raises:
            TimeoutError: when they took too much time or memory.
        """
        if not hasattr(self._servers, "ask"):
            self._servers.ask, other = self._context.Pipe()
            self._context.Process(target=serve, args=(other,), daemon=True).start()
            other.close()
        self._servers.ask.send(wanted)
        answer: tuple[list[str], dict[str, float]] | int = self._servers.ask.recv()
        if isinstance(answer, tuple):
            return answer
        # of time or of memory, as revm aborts when it gets none
        if -answer in {signal.SIGXCPU, signal.SIGABRT}:
            raise TimeoutError
        raise RuntimeError(f"a process of tests ended with {answer}")

    def _slow(self, compiled: dict[str, Any], *options: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *options]
        with _written(compiled) as given:
            environment = os.environ | {"COMPILED_CONTRACTS": given}
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in {0, 1}:
            raise RuntimeError(done.stdout + done.stderr)
        return [line.split()[1] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]


def bytecode(compiled: dict[str, Any]) -> list[str]:
    return [entry["evm"]["bytecode"]["object"] for names in compiled.values() for entry in names.values()]


@contextmanager
def _written(compiled: dict[str, Any]) -> Iterator[str]:
    """A file of compiler output, for as long as it is needed."""
    with tempfile.NamedTemporaryFile("w", dir=BUILD, suffix=".json") as file:
        json.dump(compiled, file)
        file.flush()
        yield file.name


def _files(patterns: Iterable[str]) -> list[str]:
    """The test files that these files and folders hold, of those that there are; in findings/, where a file says what
    its tests need, those that run contracts in process. To collect the others takes longer than most tests."""
    found = []
    for pattern in patterns:
        path = ROOT / pattern
        found += sorted(path.glob("test_*.py")) if path.is_dir() else [path] * path.exists()
    found = [path for path in found if path.parent.name != "findings" or "mark.evm" in path.read_text()]
    return [path.relative_to(ROOT).as_posix() for path in found if path.name not in SKIPPED]


# what is known already


class Known(Results):
    """Results of earlier campaigns, by the mutant's file and name."""

    def __init__(self, sources: Sources) -> None:
        super().__init__("mutate")
        self._sources, self._kept, self._explained = sources, self.read(), explained()

    def find(self, mutant: Mutant) -> Result | None:
        """Return a result that still holds, or None."""
        *result, of = self._kept.get(label(mutant), ("", "", ""))
        if of and of == self._digest(mutant, *result):
            return Result(*result)
        if self._is_explained(mutant, *result) and of == self._digest(mutant, *result, by_all=True):
            # it was judged before somebody wrote the reason
            return self.judged(mutant, *result)
        return None

    def killer(self, mutant: Mutant) -> str:
        """Return the test that killed the mutant last."""
        return str(self._kept.get(label(mutant), ("", ""))[1])

    def was_unnoticed(self, mutant: Mutant) -> bool:
        return self._kept.get(label(mutant), ("",))[0] in {"survived", "unnoticed"}

    def judged(self, mutant: Mutant, verdict: str, by: str) -> Result:
        self.add(label(mutant), verdict, by, self._digest(mutant, verdict, by))
        return Result(verdict, by)

    def _is_explained(self, mutant: Mutant, verdict: str, by: str) -> bool:
        return verdict == "survived" and (mutant.path, mutant.name) in self._explained

    def _digest(self, mutant: Mutant, verdict: str, by: str, *, by_all: bool = False) -> str:
        """A mutant is the same if all code of its contracts is. A kill rests on the test that made it; that nothing was
        noticed rests on all of them, or on the reason why none can."""
        texts = self._sources.texts
        roots = self._sources.deployed(mutant.path)
        reached = set().union(*map(self._sources.imports, roots)) & texts.keys() - {mutant.path}
        code = (
            hashlib.sha256(mutant.apply(texts[mutant.path])),
            *(self._sources.digests[it] for it in sorted(reached)),
        )
        rests_on_none = verdict in {"equivalent", "invalid"} or self._is_explained(mutant, verdict, by)
        tests: Iterable[str] = _files((*FAST, *SLOW)) if by_all or not rests_on_none else ()
        if verdict == "unnoticed":
            tests = _files(FAST)
        if verdict == "killed" and "::" in by:
            tests = [test for test in [by.partition("::")[0]] if (ROOT / test).exists()]
        return digest(_rests_on(tuple(tests)), SOLIDITY, code[0].hexdigest(), *code[1:])


@functools.cache
def _text(test: str) -> str:
    return "".join(path.read_text() for path in imports(ROOT / test))


def label(mutant: Mutant) -> str:
    return f"{mutant.path} {mutant.name}"


@functools.cache
def _rests_on(tests: tuple[str, ...]) -> list[Path]:
    """Return test files, what they import, and the contracts that they deploy beside ours."""
    files = set().union(*(imports(ROOT / test) for test in tests))
    return [*files, *(path for path in contracts(files) if path.parent.name == "contracts" and "tests" in path.parts)]


# the campaign


def explained() -> dict[tuple[str, str], str]:
    """Survivors that are known, with the reason why no test can or need notice them."""
    files = yaml.safe_load(EXPLAINED.read_text()) or {}
    return {(path, name): reason for path, names in files.items() for name, reason in names.items()}


def unnoticed(results: dict[Mutant, Result]) -> list[Mutant]:
    return [mutant for mutant, result in results.items() if result.verdict == "unnoticed"]


def campaign(
    judge: Callable[[Mutant, str], tuple[str, str]],
    waiting: list[Mutant],
    results: dict[Mutant, Result],
    known: Known,
    jobs: int,
) -> None:
    """Judges mutants, adds what became of them to the results and keeps it."""
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(judge, mutant, known.killer(mutant)): mutant for mutant in waiting}
        try:
            for done, future in enumerate(as_completed(running), 1):
                mutant = running[future]
                result = results[mutant] = known.judged(mutant, *future.result())
                left = (time.monotonic() - began) / done * (len(waiting) - done)
                print(
                    f"{done}/{len(waiting)}, {left / 60:.0f} min left: {result.verdict:10} "
                    f"{mutant.path.removeprefix('contracts/')}:{mutant.line} {mutant.name[:100]}"
                    + (f" [{result.by.rsplit('/', 1)[-1]}]" if result.by else ""),
                    flush=True,
                )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def report(judged: list[tuple[Mutant, Result]], whole: bool) -> int:
    verdicts = ("killed", "survived", "unnoticed", "equivalent", "invalid")
    print(f"\n{'':44}" + "".join(f"{name:>12}" for name in verdicts))
    for path in dict.fromkeys(mutant.path for mutant, _ in judged):
        count = Counter(result.verdict for mutant, result in judged if mutant.path == path)
        print(f"{path:44}" + "".join(f"{count[name]:12}" for name in verdicts))
    total = Counter(result.verdict for _, result in judged)
    print(f"{'':44}" + "".join(f"{total[name]:12}" for name in verdicts))
    known = explained()
    survivors = [mutant for mutant, result in judged if result.verdict == "survived"]
    new = [mutant for mutant in survivors if (mutant.path, mutant.name) not in known]
    gone = known.keys() - {(mutant.path, mutant.name) for mutant in survivors} if whole else set()
    score = total["killed"] / max(1, total["killed"] + total["survived"])
    print(f"\n{score:.1%} killed; {len(survivors)} survived, {len(survivors) - len(new)} of them explained")
    if total["unnoticed"]:
        print(f"{total['unnoticed']} that no test in process noticed wait for the tests on a node")
    for mutant in new:
        print(f"survived, unexplained: {mutant.path}:{mutant.line} {mutant.name}")
    for path, name in sorted(gone):
        print(f"no longer survives: take it out of {EXPLAINED.relative_to(ROOT)}: {path} {name}")
    return 1 if new or gone or total["unnoticed"] or score < LEAST else 0


def _number(mutant: Mutant) -> int:
    """The same for the same change, and as good as random."""
    return int.from_bytes(hashlib.sha256(f"{mutant.path} {mutant.name}".encode()).digest()[:8])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="contracts to change; all of them if none is named")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="one mutant in N, always the same ones")
    parser.add_argument("--only", default="", help="regular expression for the names of mutants")
    parser.add_argument("--known", action="store_true", help="only report what was judged before")
    parser.add_argument("--list", action="store_true", help="only print the mutants")
    parser.add_argument("--no-node", dest="node", action="store_false", help="leave out the tests that need a node")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    sources = Sources.in_the_tree()
    ours = sorted(path for path in sources.texts if path.startswith("contracts/"))
    chosen = [str(Path(file)) for file in arguments.files] or ours
    todo = [mutant for path in chosen for mutant in mutants(path, sources.texts, sources.trees)]
    todo = [it for it in todo if re.search(arguments.only, it.name) and _number(it) % arguments.sample == 0]
    if arguments.list:
        for number, mutant in enumerate(todo, 1):
            print(f"{number} {mutant.path}:{mutant.line} {mutant.name}")
        return 0
    known = Known(sources)
    results = {mutant: result for mutant in todo if (result := known.find(mutant))}
    # what was not noticed before takes all tests, and so comes last
    waiting = sorted((mutant for mutant in todo if mutant not in results), key=known.was_unnoticed)
    print(f"{len(todo)} mutants, {len(results)} of them known from before")
    if (waiting or (arguments.node and unnoticed(results))) and not arguments.known:
        judge = Judge(sources)
        print(f"{len(judge.seconds)} tests in process, {sum(judge.seconds.values()):.0f} s")
        for test in judge.left_out:
            print(f"fails on the original, so it judges nothing: {test}")
        campaign(judge.in_process, waiting, results, known, arguments.jobs)
        if arguments.node:
            # last, because each takes minutes
            campaign(judge.on_a_node, unnoticed(results), results, known, arguments.jobs)
    whole = results.keys() == set(todo) and not arguments.files and not arguments.only and arguments.sample == 1
    if whole:
        known.keep(map(label, todo))
    return report([(mutant, results[mutant]) for mutant in todo if mutant in results], whole)


if __name__ == "__main__":
    sys.exit(main())
