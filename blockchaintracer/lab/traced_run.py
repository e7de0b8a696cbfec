"""`TracedRun`: what a training logs, from its start to its record.

A recorder must never cost a result. What can be refused early is refused before the training starts. After it, only
warnings leave a ``with`` block: if the chain is unavailable the record waits in the outbox, and if anything else fails
the run document is in a file that `blockchaintracer record --from` takes.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from typing_extensions import override

from blockchaintracer.core.errors import (
    BlockchainTracerError,
    ChainUnavailable,
    InputError,
    RecordingWarning,
    StoreError,
)
from blockchaintracer.core.manifest import SeedDerivation, Tolerance
from blockchaintracer.core.plain_json import plain
from blockchaintracer.lab import after_run
from blockchaintracer.lab.capture.program import RUN_FILE, command_line
from blockchaintracer.lab.capture.secret_masking import MASK, error_text, masked_values
from blockchaintracer.lab.drafts import UNKNOWN, Recorded
from blockchaintracer.lab.groups import make_first
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import PLACED
from blockchaintracer.lab.outbox import Op
from blockchaintracer.lab.plain_text import titled
from blockchaintracer.lab.private.encrypt import recipients_of
from blockchaintracer.lab.recording.checkpoint_log import CheckpointLog
from blockchaintracer.lab.recording.commit import require_recorder
from blockchaintracer.lab.recording.keep import keep, require_apart, run_keeping
from blockchaintracer.lab.recording.metric_histories import Histories
from blockchaintracer.lab.recording.run import (
    RunFacts,
    RunStart,
    check_template,
    document_text,
    finish_run,
    keep_unrecorded,
    linked_inputs,
    record_inputs,
    record_models,
    start_run,
)
from blockchaintracer.lab.recording.run_document import MAX_HISTORIES, MAX_POINTS, DocumentOutput, RunDocument
from blockchaintracer.lab.recording.templates import load_template
from blockchaintracer.lab.store.hashcache import digest_of

PathLike = str | os.PathLike[str]
_POLL_S = 2.0


@dataclass(frozen=True)
class Pending:
    """A run that is stored and not on the chain yet.

    Args:
        record_id: of the run, 64 hex digits; None if the program that started this one records it.
        run_file: the run document that this program was asked to write instead.
    """

    record_id: str | None
    run_file: Path | None = None
    _lab: Lab | None = None

    def wait(self, timeout_s: float = 300) -> str:
        """Send what waits, until it is in a block; the transaction's hash, 0x-hex.

        Raises:
            ChainUnavailable: if no node answers within `timeout_s` seconds; the run keeps waiting in the outbox.
            InputError: if another program records the run.
        """
        if self._lab is None or self.record_id is None:
            raise InputError(f"the run is recorded by the program that started this one, from {self.run_file}")
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._lab.reconnect()
                self._lab.send(self.record_id)
                for entry in self._lab.outbox.entries_about(self.record_id, Op.RECORD):
                    if entry.is_on_chain:
                        return str(entry.transaction)
                raise ChainUnavailable(f"record {self.record_id} is in no block yet")
            except ChainUnavailable:
                if time.monotonic() + _POLL_S > deadline:
                    raise
            time.sleep(_POLL_S)


@dataclass
class Seeding:
    """What was seeded in this program, and where the seeds are from; the runs of a tracer share it."""

    seeds: dict[str, Any] = field(default_factory=dict)
    derivation: SeedDerivation | None = None


class TracedRun:
    """One run, from `MLTracer.start_run`. Values are checked when they are logged, and recorded when the block ends.

    Attributes:
        recorded: the record; ``recorded.state`` is ``stored`` while the chain is unavailable. It is never None: without
            a record, and where another program records the run, its id is ``unknown``, and it is false.
        problem: why there is none.
        document: what has been logged.
    """

    def __init__(
        self,
        lab: Lab,
        name: str,
        *,
        template: str | None = None,
        supersedes: str | None = None,
        seeding: Seeding | None = None,
        anchor_every: int | None = None,
        encrypt_to: Sequence[str] = (),
    ) -> None:
        self._lab = lab
        self._folder = Path.cwd()
        self._key = os.urandom(8).hex()
        self._start: RunStart | None = None
        self._seeding = seeding or Seeding()
        self.recorded: Recorded = unrecorded(name, "running")
        self.problem: BaseException | None = None
        self._histories = Histories()
        self._without_history: set[str] = set()
        self._encrypt_to = self._checked_recipients(encrypt_to)
        self._refused: list[Path] = []
        self._logged: dict[Path, str] = {}
        self.document = RunDocument.from_plain({"schema": 1, "name": name})
        named: dict[str, Any] = {}
        if template is not None:
            chosen = load_template(template)
            named["template"] = {"name": chosen.name, "version": chosen.version}
        self._change(**self._read(private={"encrypt_to": self._encrypt_to}, **named))
        if supersedes:
            self.log_input(record=supersedes, relation="supersedes")
        # the program that records this one gives the run its id and its time: nothing is anchored before
        self._checkpoints = CheckpointLog(None if RUN_FILE in os.environ else lab, anchor_every)

    # -- what is logged

    def _note(self, path: Path, *, kept: bool) -> None:
        """Hash what is logged, unless another program records the run, or it is a file of this run that grows."""
        if self._start is None or (not kept and path.is_relative_to(self._lab.home.placed)):
            return
        try:
            digest = digest_of(self._lab.hashes, path).sha256
            if kept:
                keep(self._lab, path)
        except (BlockchainTracerError, OSError) as problem:
            _warn(f"{path} is not hashed yet: {error_text(problem)}")
            return
        if kept and self._logged.get(path, digest) != digest:
            raise InputError(
                f"inputs: {path} was logged before, and has changed since",
                hint="Log each content under a path of its own.",
                field="inputs",
            )
        self._logged[path] = digest

    def log_param(self, name: str, value: Any, *, private: bool = False) -> None:
        """Log one parameter; a `private` one is committed to and not shown (docs/privacy.md).

        Raises:
            InputError: as `log_params`, or if another parameter of the name is shown.
        """
        if private:
            self._log_private("parameters", name, value)
        else:
            self.log_params({name: value})

    def log_params(self, parameters: Mapping[str, Any]) -> None:
        """Log parameters; one that is logged again takes the new value. Text that looks like a secret is masked.

        Raises:
            InputError: naming the parameter, for what JSON can't hold. NaN and infinity are recorded as text.
        """
        self._log("parameters", masked(plain(parameters, "parameters"), "parameters"))

    def log_metric(
        self,
        name: str,
        value: float,
        tolerance: float | Tolerance | None = None,
        *,
        step: int | None = None,
        private: bool = False,
        count: bool = False,
    ) -> None:
        """Log one metric; one that is logged again takes the new value.

        Args:
            value: a number; NaN and infinity too, as of a training that diverged.
            tolerance: within what a reproduction must find it: a number is an absolute one.
            step: of the training: the values logged with one are kept as the metric's history; of a step that is logged
                again, the last.
            private: commit to it and do not show it: then nothing compares it, and it has no tolerance and no step.
            count: it counts something: without a tolerance it must be found exactly.

        Raises:
            InputError: naming the metric.
        """
        if private:
            if tolerance is not None:
                raise InputError(f"metrics.{name}: expected no tolerance of a private metric: nothing compares it")
            if step is not None:
                raise InputError(f"metrics.{name}: expected no step of a private metric: its history would show it")
            self._log_private("metrics", name, value)
            return
        number = None if step is None else _step(name, step)
        if tolerance is None:
            self._log("metrics", {name: {"value": value, "count": True} if count else value})
        else:
            allowed = tolerance if isinstance(tolerance, Tolerance) else {"absolute": tolerance}
            self._log("metrics", {name: {"value": value, "tolerance": allowed}})
        if number is None:
            return
        logged, was_whole = self.document.metrics[name].value, not self._histories.thinned
        assert logged is not None  # noqa: S101
        if not self._histories.note(name, number, logged) and name not in self._without_history:
            self._without_history.add(name)
            _warn(f"{name} is recorded without its history: a run keeps those of {MAX_HISTORIES} metrics")
        if was_whole and self._histories.thinned:
            _warn(f"histories of this run are thinned: it keeps {MAX_POINTS} values in all")

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Log metrics: numbers, or ``{"value": …, "tolerance": {"absolute": …}}``."""
        self._log("metrics", metrics)

    def log_seed(self, name: str, value: Any) -> None:
        """Log a seed by what it seeds."""
        self._log("seeds", {name: value})

    def set_description(self, text: str) -> None:
        """Describe the run in words."""
        self._change(**self._read(description=text))

    def set_experiment(self, experiment: Mapping[str, Any], declared_timestamp: str | None) -> None:
        """Set the free-form description of the experiment (`blockchaintracer.core.manifest.Experiment`)."""
        self._change(**self._read(experiment=experiment, declared_timestamp=declared_timestamp))

    def log_input(
        self,
        path: PathLike | None = None,
        *,
        record: str | None = None,
        relation: str = "uses",
        kind: str = "dataset",
        name: str | None = None,
        encrypt_to: Sequence[str] | None = None,
    ) -> None:
        """Log something that the run reads: a file or folder, a record by its id, or both. A file is hashed and kept
        now: if it changes later, the run is recorded with what was logged.

        Args:
            encrypt_to: recipients, if `path` is to be recorded encrypted; the run's if not said, ``()`` for nobody.

        Raises:
            InputError: if there's nothing at `path`, a name or id is not one, or git holds what is to be encrypted.
        """
        place = None if path is None else existing(path, "inputs")
        given = {"path": place, "record": record, "relation": relation, "kind": kind, "name": name}
        entry: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if path is not None:
            entry["encrypt_to"] = self._recipients(path, encrypt_to)
        read = self._read(inputs=[entry])["inputs"]
        if place is not None:
            self._note(Path(place), kept=not entry["encrypt_to"])
        self._change(inputs=self.document.inputs + read)

    def log_output(self, path: PathLike, role: str = "artifact", *, encrypt_to: Sequence[str] | None = None) -> None:
        """Log a file or folder that the run wrote; one of role ``model`` is recorded as a model, too. It is hashed now
        and at the end, which counts: a warning says that it changed.

        Args:
            encrypt_to: recipients, if it is to be recorded encrypted; the run's if not said, ``()`` for nobody.

        Raises:
            InputError: if there's nothing at `path`, another output has its name, or git holds what is to be encrypted.
        """
        entry = {"path": existing(path, "outputs"), "role": role, "encrypt_to": self._recipients(path, encrypt_to)}
        [output] = self._read(outputs=[entry])["outputs"]
        others = tuple(other for other in self.document.outputs if other.path != output.path)
        for other in others:
            if _public_name(other) == _public_name(output):
                raise InputError(
                    f"outputs: expected names that differ, got {other.path} and {output.path}", field="outputs"
                )
        self._note(Path(output.path), kept=False)
        self._change(outputs=(*others, output))

    def place(self, name: str, *, unused: bool = False) -> Path:
        """Return a path in the lab's folder for a file of this run, to write and then to log as input or output.

        For a file that nothing else needs: once the run is recorded it is in the store, and removed here.

        Args:
            unused: number the name if a file has it already: ``model-2.joblib``.
        """
        if Path(name).name != name or name in ("", ".", ".."):
            raise InputError(f"expected the name of a file, got {name!r}")
        folder = self._lab.home.placed / self._key
        folder.mkdir(mode=0o700, exist_ok=True)
        path, number = folder / name, 1
        while unused and path.exists():
            number += 1
            start, dot, rest = name.partition(".")
            path = folder / f"{start}-{number}{dot}{rest}"
        return path

    def log_initial_state(self, path: PathLike) -> None:
        """Commit to what the training starts from, such as the initial weights; before the first checkpoint."""
        self._checkpoints.initial(Path(existing(path, "initial_state")))

    def log_checkpoint(self, path: PathLike, step: int, *, keep: bool = False) -> str:
        """Commit to a checkpoint as it is now, chained to those before it; the link, 64 hex digits.

        After every `anchor_every` checkpoints the new ones are anchored, by another thread: only hashing takes time.

        Args:
            path: a file or folder, which may be overwritten afterwards.
            step: of the training, larger than the last checkpoint's.
            keep: keep a copy in the lab's store too.

        Raises:
            InputError: if there's nothing at `path`, it changes while it's read, it was recorded encrypted before, or
                the step isn't larger.
        """
        file = Path(existing(path, "checkpoint"))
        if self._checkpoints.is_full:
            _warn(f"the run has {len(self._checkpoints.listed.checkpoints)} checkpoints: no more are noted")
            return self._checkpoints.listed.head
        try:
            checkpoint = self._checkpoints.log(file, step, copy=keep)
        except StoreError as problem:
            _warn(f"the checkpoint of step {step} is not kept: {error_text(problem)}")
            return self._checkpoints.listed.head
        if self._checkpoints.is_due:
            self.anchor_checkpoints()
        return checkpoint.link

    def anchor_checkpoints(self) -> None:
        """Anchor the checkpoints that aren't yet. A failure is a warning, and they go with the next."""
        try:
            self._checkpoints.anchor()
        except Exception as problem:
            _warn(f"checkpoints are not anchored yet: {error_text(problem)}")

    def _checked_recipients(self, encrypt_to: Sequence[str]) -> tuple[str, ...]:
        """Resolve recipients, unless another program records the run: then that program does."""
        if isinstance(encrypt_to, str):
            raise InputError("encrypt_to: expected a list of recipients, got one text", hint="Put it in brackets.")
        return tuple(encrypt_to) if RUN_FILE in os.environ else recipients_of(self._lab.home, encrypt_to)

    def _recipients(self, path: PathLike, encrypt_to: Sequence[str] | None) -> tuple[str, ...]:
        recipients = self._encrypt_to if encrypt_to is None else self._checked_recipients(encrypt_to)
        if recipients and self._start is not None:
            file = Path(path).expanduser()
            try:
                require_apart(self._start.git, [file])
            except InputError:
                # whatever the program makes of this, the recorded difference must not show it
                self._refused.append(file.resolve())
                raise
        return recipients

    def _read(self, **values: Any) -> dict[str, Any]:
        """Check fields of the run document by its own rules; the fields as it holds them."""
        document = RunDocument.from_plain({"schema": 1, "name": self.document.name, **values})
        return {name: getattr(document, name) for name in values}

    def _log(self, what: str, values: Mapping[str, Any]) -> None:
        logged = {**getattr(self.document, what), **self._read(**{what: values})[what]}
        shown = {"parameters": (), "metrics": ()} | {what: logged}
        self.document.private.require_apart(shown["parameters"], shown["metrics"])
        self._change(**{what: logged})

    def _log_private(self, what: str, name: str, value: Any) -> None:
        logged = getattr(self._read(private={what: {name: value}})["private"], what)
        private = self.document.private
        private = private.model_copy(update={what: {**getattr(private, what), **logged}})
        private.require_apart(self.document.parameters, self.document.metrics)
        self._change(private=private)

    def _change(self, **values: Any) -> None:
        self.document = self.document.model_copy(update=values)

    # -- from start to record

    def __enter__(self) -> Self:
        self.begin()
        return self

    def begin(self) -> None:
        """Capture code, time and a final block, and refuse now what would be refused after the training."""
        if RUN_FILE in os.environ:
            return
        make_first(self._lab, _tell)
        encrypted = [self._folder / path for path in self.document.encrypted()]
        self._start = start_run(self._lab, self._folder, encrypted, here=True)
        require_apart(self._start.git, encrypted)
        require_recorder(self._lab)
        if self._lab.hand_over:
            self._lab.prepare_hand_over()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not (isinstance(error, SystemExit) and error.code in (None, 0)):
            # a message may quote what is encrypted
            self._change(error=type(error).__name__ if self._encrypt_to else error_text(error))
        try:
            self.finish()
        except BaseException as problem:
            self.problem = problem
            self.recorded = unrecorded(self.document.name, "not-recorded")
            _warn(f"the run {self.document.name!r} is not recorded: {error_text(problem)}\n{self._keep()}")
            if error is None and not isinstance(problem, Exception):
                raise
        else:
            if self.recorded.state == "stored" and not self._lab.hand_over:
                _warn(
                    f"the chain is unavailable: run {self.recorded.id} is stored and waits; "
                    "`blockchaintracer outbox flush` sends it"
                )
            elif self.recorded:
                _tell(str(self))

    def finish(self) -> str | Pending:
        """Record what was logged; the transaction's hash (0x-hex), or a handle while there is none."""
        if histories := self._histories.documents():
            self._change(histories=histories)
        self._change(seeds={**self._seeding.seeds, **self.document.seeds}, seed_derivation=self._seeding.derivation)
        if self.document.error is not None:
            # a failed run may not have written everything that it logged
            self._change(outputs=tuple(output for output in self.document.outputs if Path(output.path).exists()))
        check_template(self.document, complete=self.document.error is None)
        if RUN_FILE in os.environ:
            self._take_checkpoints()
            return self._write_run_file(Path(os.environ[RUN_FILE]))
        if self._start is None:
            raise InputError("expected a run that was started, got one that wasn't", hint="Use it in a with block.")
        document = self.document
        outputs = [(output.role, Path(output.path)) for output in document.outputs]
        keeping = run_keeping(self._lab, document, self._folder, self._start.git, also=self._refused)
        inputs = record_inputs(self._lab, document, self._folder, keeping, logged=self._logged)
        read = {used.path for used in inputs}
        for path, digest in self._logged.items():
            now = digest_of(self._lab.hashes, path).sha256 if path.exists() else None
            # an output that is gone is that of a failed run, and not recorded
            if now != digest and (now or path in read):
                which = "it is recorded as it was logged" if path in read else "it is recorded as it is now"
                _warn(f"{path} changed after it was logged: {which}")
        facts = RunFacts(
            document=document,
            inputs=inputs,
            outputs=outputs,
            parents=linked_inputs(self._lab, document),
            command=command_line(self._folder),
            observed="process",
            folder=self._folder,
            checkpoints=self._checkpoints.finish(),
            keeping=keeping,
        )
        self.recorded = finish_run(self._lab, self._start, facts)
        record_models(self._lab, self.recorded, [path for role, path in outputs if role == "model"], inputs, keeping)
        self._report(self.recorded)
        shutil.rmtree(self._lab.home.path / PLACED / self._key, ignore_errors=True)
        if self.recorded.transaction is None or self.recorded.block is None:
            return Pending(self.recorded.id, None, self._lab)
        return self.recorded.transaction

    def _report(self, recorded: Recorded) -> None:
        """Make the report and publish, as the lab's settings ask. A failure is a warning: the run is recorded."""
        if recorded.state == "stored":
            return
        try:
            for make in after_run:
                make(self._lab, recorded.id)
        except Exception as problem:
            _warn(f"run {recorded.id} is recorded, and no report of it was made: {error_text(problem)}")
        from blockchaintracer.lab.publish import publish_by_setting

        for sentence in publish_by_setting(self._lab, [recorded.id]):
            self._lab.say(sentence)

    @override
    def __str__(self) -> str:
        title, recorded = titled("run", self.document.name), self.recorded
        if not recorded:
            return f"{title}: {recorded.state}"
        place = "waits for the chain" if recorded.block is None else f"is {recorded.state}, block {recorded.block}"
        return f"{title} {recorded.id} {place}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        if self.recorded:
            return self.recorded._repr_html_()
        return f"<b>run {escape(self.document.name)}</b>, {self.recorded.state}"

    def _write_run_file(self, file: Path) -> Pending:
        try:
            # one run a program: the program that records it gives it an id of its own
            with file.open("x", encoding="utf-8") as out:
                out.write(document_text(self.document))
        except FileExistsError:
            raise InputError(
                f"expected one run in a program that another records, got a second, {self.document.name!r}",
                hint=f"The first is in {file}; unset ${RUN_FILE} to record each by itself.",
            ) from None
        self.recorded = unrecorded(self.document.name, "handed-over")
        return Pending(None, file)

    def _take_checkpoints(self) -> None:
        """Put the checkpoints into the document, for the program that records it."""
        log = self._checkpoints
        if log.listed.checkpoints or log.listed.initial_state:
            self._change(checkpoints=log.listed, checkpoint_anchors=tuple(log.anchors))

    def _keep(self) -> str:
        """Write what was logged to a file that it can be recorded from later; a sentence that says where."""
        self._take_checkpoints()
        try:
            file = keep_unrecorded(self._lab.home, self.document)
        except (OSError, BlockchainTracerError) as error:
            reason = error_text(error)
            return f"It could not be kept either ({reason}): it's in the run's `document` until the program ends."
        return f"It's kept: `blockchaintracer record --from {file}` records it."


def existing(path: PathLike, field: str) -> str:
    """Return the absolute path of a file or folder."""
    try:
        place = Path(path).expanduser().resolve()
        if place.exists():
            return str(place)
    except (TypeError, ValueError, RuntimeError):
        pass
    raise InputError(f"{field}: expected a file or folder, got nothing at {str(path)[:200]!r}", field=field)


def masked(value: Any, field: str) -> Any:
    """Return plain values without what looks like a secret; a warning names each field that was masked."""
    return masked_values(value, field, lambda name: _warn(f"{name} looks like a secret and is recorded as {MASK}"))


def unrecorded(name: str, state: str) -> Recorded:
    """What stands for the record of a run that has none here."""
    unknown: dict[str, Any] = dict.fromkeys(("id", "registry", "author", "subject", "manifest", "cid"), UNKNOWN)
    nowhere: dict[str, Any] = dict.fromkeys(("transaction", "block", "time"))
    return Recorded(kind="run", name=name, state=state, chain_id=0, group=0, existing=False, **unknown, **nowhere)


def _public_name(output: DocumentOutput) -> str:
    return Path(output.path).name + (".age" if output.encrypt_to else "")


def _step(metric: str, step: Any) -> int:
    number = plain(step, f"metrics.{metric}.step")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise InputError(f"metrics.{metric}.step: expected an integer of 0 or more, got {step!r}")
    return number


def _tell(message: str) -> None:
    print(message, file=sys.stderr)


def _warn(message: str) -> None:
    warnings.warn(message, RecordingWarning, stacklevel=3)
