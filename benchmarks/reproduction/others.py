"""`python -m benchmarks.reproduction.others [NAME...] [TOOL...]`: what ReproZip and DVC need for the same programs.

Both are installed by uv into environments of their own and run as their manuals say. As in `harness`, the author of a
changed program claims the result of the unchanged one. A tool notices it if a command of the reproducer ends with an
error; "by eye" if no command does, but the output differs from the claim, for who holds both side by side.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.reproduction.harness import Failed, Person, World, _apply, _bytes_below
from benchmarks.reproduction.programs import PROGRAMS, ROOT, Program

OUTPUTS = {"stdout_only": "", "shell_pipeline": "result.txt", "src_layout": "fit.json", "make_c": "result.txt"}
"""Programs to compare, and what each writes; empty if it prints."""
_PRINTED = "printed.txt"
_PACKAGES = {"reprozip": ("reprozip", "reprounzip"), "dvc": ("dvc",)}


@dataclass
class Took:
    """What one tool took for one program.

    Args:
        author, reproducer: the commands that were typed.
        seconds: of all of them; `disk`: bytes that are handed over.
        failed: the error of the reproducer's command that failed; empty if none did.
        output: what the repeated run gave.
    """

    author: list[str] = field(default_factory=list)
    reproducer: list[str] = field(default_factory=list)
    seconds: float = 0.0
    disk: int = 0
    failed: str = ""
    output: str = ""


def _run(person: Person, folder: Path, log: list[str], *commands: str) -> str:
    """Type commands until one fails, and return its error."""
    for command in commands:
        done = person.types(*shlex.split(command), folder=folder, log=log)
        if done.returncode:
            return f"{command}: {(done.stderr or done.stdout).strip()[-300:]}"
    return ""


def _must(problem: str) -> None:
    if problem:
        raise Failed(problem)


def reprozip(world: World, program: Program, folder: Path, command: str, claimed: Took | None) -> Took:
    """Pack what a run opened, and run it elsewhere."""
    took, begun, there = Took(), time.monotonic(), world.other.folder / "unpacked"
    shutil.rmtree(there, ignore_errors=True)
    there.parent.mkdir(exist_ok=True)
    package = folder / "program.rpz"
    _must(_run(world.author, folder, took.author, f"reprozip trace {command}", f"reprozip pack {package.name}"))
    took.disk = package.stat().st_size
    commands = [f"reprounzip directory setup {package} {there}", f"reprounzip directory run {there}"]
    if output := OUTPUTS[program.name]:
        # the output is no file of the package's first layer unless it is asked for
        took.failed = _run(world.other, world.other.home, took.reproducer, *commands)
        made = there / "root" / (folder / output).relative_to("/")
        took.output = made.read_text() if made.exists() else ""
    else:
        took.failed = _run(world.other, world.other.home, took.reproducer, commands[0])
        took.reproducer.append(commands[1])
        done = world.other.types(*shlex.split(commands[1]), folder=world.other.home)
        took.failed = took.failed or (done.stderr[-300:] if done.returncode else "")
        took.output = "".join(line for line in done.stdout.splitlines(True) if not line.startswith("***"))
    took.seconds = time.monotonic() - begun
    return took


def dvc(world: World, program: Program, folder: Path, command: str, claimed: Took | None) -> Took:
    """Commit a pipeline of one stage, and repeat it in a clone."""
    took, begun, clone = Took(), time.monotonic(), world.other.folder / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    output = OUTPUTS[program.name] or _PRINTED
    needs = " ".join(f"-d {shlex.quote(name)}" for name in program.sources())
    step = shlex.quote(command if OUTPUTS[program.name] else f"{command} > {_PRINTED}")
    (folder / output).unlink(missing_ok=True)
    problem = _run(
        *(world.author, folder, took.author, "dvc init -q"),
        *(f"dvc stage add -q -n run {needs} -o {output} {step}", "dvc repro -q"),
    )
    _must(problem)
    lock = folder / "dvc.lock"
    found = re.search(r"outs:\n(.*)", lock.read_text(), re.DOTALL)
    took.output = found[1] if found else ""
    if claimed:
        lock.write_text(lock.read_text().replace(took.output, claimed.output))
    commit = "git -c user.name=A -c user.email=a@lab.example commit -qm run"
    _must(_run(world.author, folder, took.author, "git add -A", commit))
    took.failed = _run(world.other, world.other.home, took.reproducer, f"git clone -q {folder} {clone}")
    for line in () if took.failed else program.install:
        took.failed = took.failed or _run(world.other, clone, took.reproducer, shlex.join(line))
    took.disk = _bytes_below(clone / ".git")
    took.failed = took.failed or _run(world.other, clone, took.reproducer, "dvc repro -q", "git diff --exit-code")
    took.seconds = time.monotonic() - begun
    return took


def compared(world: World, program: Program, tool: Callable[..., Took]) -> str:
    """Run a program with a tool as it is and with each change; a line of the table."""
    honest = tool(world, program, world.project(program, "honest"), shlex.join(program.command), None)
    if honest.failed:
        return f"does not run: {honest.failed}"
    cells = []
    for name in ("data", "seed", "code", "library"):
        change = program.changes.get(name)
        if not change:
            continue
        command = [*program.command]
        if not change.file:
            command[command.index(change.before, 1)] = change.after
        if name == "library":
            folder = world.project(program, "mixed")
            _apply(folder, change)
            world.commit(folder)
        else:
            folder = world.project(program, name, change)
        took = tool(world, program, folder, shlex.join(command), honest)
        noticed = "yes" if took.failed else "by eye" if took.output != honest.output else "no"
        cells.append(f"{name} {noticed}")
    commands = f"{len(honest.author)} + {len(honest.reproducer)}"
    return f"{commands:>8}{honest.seconds:>8.1f} s{honest.disk / 1e6:>9.2f} MB   {', '.join(cells)}"


def main(names: list[str]) -> int:
    """Compare the named programs, or all of `OUTPUTS`, with the named tools, or both."""
    print(f"{'program':<16}{'tool':<10}{'commands':>8}{'time':>10}{'handed over':>12}   false claims it notices")
    with tempfile.TemporaryDirectory(prefix="reproduction-others-") as scratch:
        world = World(Path(scratch))
        try:
            for tool in [it for it in (reprozip, dvc) if it.__name__ in names] or (reprozip, dvc):
                _install(world, tool.__name__)
                named = {*OUTPUTS} & {*names} or OUTPUTS
                for program in (it for it in PROGRAMS if it.name in named):
                    print(f"{program.name:<16}{tool.__name__:<10}{compared(world, program, tool)}", flush=True)
        finally:
            world.end()
    return 0


def _install(world: World, tool: str) -> None:
    """Install a tool into an environment of its own."""
    kept = ROOT / ".build" / "tools" / tool
    uv = shutil.which("uv", path=str(world.author.tools)) or "uv"
    if not (kept / "bin" / tool).exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run((uv, "venv", "-q", "--clear", "--python", sys.executable, kept), check=True)
        subprocess.run((uv, "pip", "install", "-q", "--python", kept / "bin" / "python", *_PACKAGES[tool]), check=True)
    for person in (world.author, world.other):
        for name in _PACKAGES[tool]:
            (person.tools / name).symlink_to(kept / "bin" / name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
