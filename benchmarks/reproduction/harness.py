"""Records, publishes and reproduces a program as two people would, each with a home of their own, by the command line.

What a verdict must be follows from what the author's own runs gave: the changed program is run by its author too. A
record that claims the result of the unchanged program for the changed one must not be reproduced, unless both give the
same result.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.reproduction.programs import DATA, Change, Program
from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.core.manifest import RunPredicate, parse_manifest
from blockchaintracer.core.manifest.metric_comparison import compare_metrics
from blockchaintracer.core.record import Verdict, label
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.content import record_run
from tests.support.labs import second_lab

ROOT = Path(__file__).resolve().parents[2]
AS_IT_IS = "as it is"
LIMIT_S = 500
_FROM_HERE = """#!{python}
import sys
sys.path.insert(0, {root!r})
from blockchaintracer.cli import main
sys.exit(main())
"""


class Failed(Exception):
    """A step of a case did not do what it is for."""


@dataclass
class Case:
    """One reproduction, and what it took.

    Args:
        verdict: what came, and `expected` what is right; ``reproduced``, ``not-reproduced``, ``inconclusive`` or
            ``refused``.
        author, reproducer: the commands that were typed.
        seconds: of the author's commands, and of the reproducer's.
        disk: bytes that are published, and that the rebuilt environments take.
    """

    name: str
    expected: str
    verdict: str = ""
    author: list[str] = field(default_factory=list)
    reproducer: list[str] = field(default_factory=list)
    seconds: tuple[float, float] = (0.0, 0.0)
    disk: tuple[int, int] = (0, 0)
    note: str = ""

    @property
    def right(self) -> bool:
        """Whether the verdict is the right one."""
        return self.verdict == self.expected


class Person:
    """Somebody with a HOME, a lab and a shell."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder, self.lab = folder, lab
        self.home = folder / "person"
        self.tools = folder / "bin"
        for place in (self.home, self.tools):
            place.mkdir(parents=True, exist_ok=True)
        client = self.tools / "blockchaintracer"
        client.write_text(_FROM_HERE.format(python=sys.executable, root=str(ROOT)))
        client.chmod(0o755)
        uv = Path(sys.executable).with_name("uv")
        if uv.exists() and not (self.tools / "uv").exists():
            (self.tools / "uv").symlink_to(uv)

    def types(self, *command: str, folder: Path, log: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """Type a command in a folder, whose `.venv` is activated."""
        shared = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_"))}
        shared.setdefault("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
        if "PIP_FIND_LINKS" in shared:
            shared.setdefault("UV_FIND_LINKS", shared["PIP_FIND_LINKS"])
        environment = shared | {
            "HOME": str(self.home),
            "BLOCKCHAINTRACER_HOME": str(self.lab.home.path),
            "PATH": f"{folder / '.venv' / 'bin'}:{self.tools}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "VIRTUAL_ENV": str(folder / ".venv"),
        }
        if log is not None:
            log.append(" ".join(command))
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=LIMIT_S,
        )

    def must(self, *command: str, folder: Path) -> str:
        """Type a command that has to work."""
        done = self.types(*command, folder=folder)
        if done.returncode:
            raise Failed(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-1500:]}")
        return done.stdout


@dataclass
class Recorded:
    """What the author has after recording."""

    id: str
    run: RunPredicate
    typed: list[str]
    seconds: float


class World:
    """An author and a reproducer in two groups of one registry on a devnet, and a server of files."""

    def __init__(self, folder: Path) -> None:
        lab = Lab(Home(folder / "author" / "lab"))
        deploy(lab, open_group_creation=True)
        create_group(lab, "Authors")
        self.folder = folder
        self.author = Person(folder / "author", lab)
        self.other = Person(folder / "other", second_lab(lab, folder / "other" / "lab", "Others"))
        handler = partial(_Quiet, directory=str(_served(folder / "served")))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def end(self) -> None:
        """Stop node and server."""
        self._server.shutdown()
        self.author.lab.devnet.stop()

    def project(self, program: Program, name: str, change: Change | None = None) -> Path:
        """Make the author's repository, with its lock and its environment."""
        folder = self.folder / "author" / "projects" / f"{program.name}-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        for place, source in program.sources().items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / place)
            if program.name == "url_input" and source.suffix == ".py":
                (folder / place).write_text(source.read_text().replace("{url}", self.url))
        if change and change.file:
            _apply(folder, change)
        self.author.must("git", "init", "-q", folder=folder)
        (folder / ".git" / "info" / "exclude").write_text(".venv\n__pycache__\n*.egg-info\n")
        self.lock(program, folder)
        for command in program.install:
            self.author.must(*command, folder=folder)
        self.commit(folder)
        return folder

    def lock(self, program: Program, folder: Path) -> None:
        """Write the project's lock as its tool does."""
        for command in program.lock:
            self.author.must(*command, folder=folder)

    def commit(self, folder: Path) -> None:
        """Commit everything but the environment."""
        git = ("git", "-c", "user.name=A", "-c", "user.email=a@lab.example")
        self.author.must(*git, "add", "-A", folder=folder)
        self.author.must(*git, "commit", "-qm", "as it is", folder=folder)

    def record(self, program: Program, folder: Path, change: Change | None = None) -> Recorded:
        """Record the run as its author types it."""
        command = [*program.command]
        if change and not change.file:
            command[command.index(change.before, 1)] = change.after
        typed: list[str] = []
        options = [*program.options]
        begun = time.monotonic()
        done = self.author.types(
            "blockchaintracer", "record", *options, "--json", "--", *command, folder=folder / program.within, log=typed
        )
        try:
            id_ = str(json.loads(done.stdout)["id"])
        except (ValueError, KeyError):
            raise Failed(f"record: {(done.stderr or done.stdout).strip()[-1500:]}") from None
        if done.returncode:
            raise Failed(f"record: exit code {done.returncode}: {done.stderr.strip()[-1500:]}")
        return Recorded(id_, self.predicate(id_), typed, time.monotonic() - begun)

    def predicate(self, record_id: str) -> RunPredicate:
        """Read what the author's manifest says."""
        record = self.author.lab.registry.find_record(record_id)
        assert record
        predicate = parse_manifest(self.author.lab.store.get_bytes(record.key.manifest)).predicate
        assert isinstance(predicate, RunPredicate)
        return predicate

    def claim(self, changed: Recorded, honest: Recorded) -> str:
        """Record a lie of the author: the result of one run for what another one ran."""
        run = changed.run.model_copy(update={"run_id": str(uuid.uuid4()), "metrics": honest.run.metrics})
        return record_run(self.author.lab, run).id

    def case(
        self,
        name: str,
        expected: str,
        recorded: Recorded,
        record_id: str | None = None,
        options: tuple[str, ...] = (),
        damage: bool = False,
    ) -> Case:
        """Publish and reproduce a record, and say what came of it."""
        case = Case(name, expected, author=[*recorded.typed])
        record_id = record_id or recorded.id
        published = self.folder / "published" / record_id
        begun = time.monotonic()
        publish = ("blockchaintracer", "publish", record_id, "--to", str(published))
        done = self.author.types(*publish, folder=self.folder, log=case.author)
        if "--with-diff publishes it" in done.stdout + done.stderr:
            done = self.author.types(*publish, "--with-diff", folder=self.folder, log=case.author)
        if done.returncode:
            raise Failed(f"publish: {done.stderr[-1500:]}")
        written = time.monotonic()
        if damage:
            _damage(published, recorded.run)
        where = ("--rpc", self.author.lab.devnet.start().url, "--registry", self.author.lab.registry.address)
        command = ("blockchaintracer", "reproduce", record_id, "--from", str(published), *where, "--yes", *options)
        done = self.other.types(*command, "--json", folder=self.other.home, log=case.reproducer)
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            answer = {}
        case.verdict = answer.get("verdict") or "refused"
        case.note = str(
            answer.get("reason") or ("" if "verdict" in answer else (done.stdout + done.stderr).strip()[-600:])
        )
        case.seconds = (recorded.seconds + written - begun, time.monotonic() - written)
        case.disk = (_bytes_below(published), _bytes_below(self.other.lab.home.environments))
        said = self.other.lab.registry.verdict(self.other.lab.group(), record_id).verdict
        on_chain = label(said) if said is not Verdict.NONE else "inconclusive"
        if case.verdict not in {"refused", on_chain}:
            case.verdict = f"{case.verdict}, but {on_chain} on chain"
        return case


def cases(world: World, program: Program) -> Iterator[Case]:
    """Judge a program as it is and with each change."""
    folder = world.project(program, "honest")
    honest = world.record(program, folder)
    yield world.case("a byte of the copy", "refused", honest, damage=True)
    yield world.case(AS_IT_IS, program.expected, honest)
    for name, (options, expected) in program.asked.items():
        yield world.case(name, expected, honest, options=options)
    # what the first run left lies in the folder now
    yield world.case(
        "a second time",
        program.second or program.expected,
        world.record(replace(program, command=program.again or program.command), folder),
    )
    for name, change in program.changes.items():
        changed_folder = world.project(program, name, change)
        changed = world.record(program, changed_folder, change)
        same = _same(honest.run, changed.run)
        if name == "library":
            # the author edits the lock after installing, and runs in what was installed
            mixed = world.project(program, "mixed")
            _apply(mixed, change)
            world.lock(program, mixed)
            world.commit(mixed)
            claimed = world.record(program, mixed)
            yield world.case(name, "reproduced" if same else "inconclusive", claimed)
            shutil.rmtree(mixed)
        else:
            claimed = replace(changed, id=world.claim(changed, honest))
            different = "not-reproduced" if program.expected == "reproduced" else program.expected
            if any(it.tolerance and name not in changed.run.metrics for name, it in honest.run.metrics.items()):
                # it can't be compared, whatever else differs
                different = "inconclusive"
            yield world.case(name, program.expected if same else different, claimed)
        shutil.rmtree(changed_folder)
    shutil.rmtree(folder)


def judged(world: World, program: Program) -> list[dict[str, Any]]:
    """Judge every case of a program. A step that fails is a wrong verdict, and ends the program."""
    made: list[Case] = []
    try:
        made.extend(cases(world, program))
    except (Failed, BlockchainTracerError, subprocess.TimeoutExpired, AssertionError) as problem:
        made.append(Case("a step", "works", verdict="failed", note=str(problem)[-1500:]))
    return [asdict(case) | {"right": case.right} for case in made]


def _same(honest: RunPredicate, changed: RunPredicate) -> bool:
    """Whether the changed program gave the author the same result."""
    found: Mapping[str, float] = {name: metric.value for name, metric in changed.metrics.items()}
    compared = [row for row in compare_metrics(honest.metrics, found) if row.tolerance is not None]
    return bool(compared) and all(row.within and not math.isnan(row.found or 0) for row in compared)


def _apply(folder: Path, change: Change) -> None:
    file = folder / change.file
    text = file.read_text()
    if text.count(change.before) != 1:
        raise Failed(f"expected {change.before!r} once in {file}, got it {text.count(change.before)} times")
    file.write_text(text.replace(change.before, change.after))


def _damage(published: Path, run: RunPredicate) -> None:
    """Change one byte of the code and of each input where they are published."""
    digests = [run.code.pack.sha256 if run.code.pack else "", *(entry.sha256 for entry in run.inputs)]
    files = [
        file for file in published.rglob("*") if file.is_file() and "".join(file.parts[-2:]).endswith(tuple(digests))
    ]
    for file in files:
        file.chmod(0o644)
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    if not files:
        raise Failed(f"expected the code {digests[0]} among what is published")


def _bytes_below(folder: Path) -> int:
    """Size of the files below a folder, each once however often it is linked."""
    sizes: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                status = os.lstat(os.path.join(place, name))
                sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())


def _served(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DATA / "wine_data.csv", folder / "wine.csv")
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass
