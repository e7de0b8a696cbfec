"""Recording from Python: `MLTracer` around a training, `BlockchainTracer` after one.

A recorder must never cost a result. What can be refused early is refused before the training starts; after it, nothing
but a warning comes out of a ``with`` block: the chain being away leaves the record in the outbox, anything worse leaves
the run document in a file that `blockchaintracer record --from` takes.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from blockchaintracer.core.errors import (
    BlockchainTracerError,
    ChainUnavailable,
    InputError,
    RecordingWarning,
    StoreError,
)
from blockchaintracer.core.manifest import ExperimentData, SeedDerivation, Tolerance
from blockchaintracer.core.manifest.base import plain, rfc3339
from blockchaintracer.core.record import Kind, normal_digest, parse_number
from blockchaintracer.core.seed_derivation import SEED_BLOCK
from blockchaintracer.lab import after_run
from blockchaintracer.lab.capture.program import RUN_FILE
from blockchaintracer.lab.capture.random_seeds import seed_everything
from blockchaintracer.lab.capture.secret_masking import MASK, mask, mask_arguments
from blockchaintracer.lab.chain_seeds import seeds_from_chain
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import PLACED, Home
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.outbox import Op
from blockchaintracer.lab.private.encrypt import recipients_of
from blockchaintracer.lab.recording.checkpoint_log import CheckpointLog
from blockchaintracer.lab.recording.commit import require_recorder
from blockchaintracer.lab.recording.content import record_path
from blockchaintracer.lab.recording.keep import require_apart, run_keeping
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
from blockchaintracer.lab.seals import Revealed, Sealed, reveal, sealing

RPC_VARIABLE = "BLOCKCHAINTRACER_RPC"
_MAX_ERROR = 2000
_POLL_S = 2.0
_log = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Pending:
    """A run that is kept and not on the chain yet.

    Args:
        record_id: of the run, 64 hex digits; None if the program that started this one records it.
        run_file: the run document that this program was asked to write instead.
    """

    record_id: str | None
    run_file: Path | None = None
    _lab: Lab | None = None

    def wait(self, timeout_s: float = 300) -> str:
        """Sends what waits, until it is in a block; the transaction's hash, 0x-hex.

        Raises:
            ChainUnavailable: if the chain is still away after `timeout_s` seconds; it keeps waiting in the outbox.
            InputError: if another program records the run.
        """
        if self._lab is None or self.record_id is None:
            raise InputError(f"the run is recorded by the program that started this one, from {self.run_file}")
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._lab.reconnect()
                self._lab.flush()
                for entry in self._lab.outbox.entries_about(self.record_id, Op.RECORD):
                    if entry.is_on_chain:
                        return f"0x{entry.transaction}"
                raise ChainUnavailable(f"record {self.record_id} is in no block yet")
            except ChainUnavailable:
                if time.monotonic() + _POLL_S > deadline:
                    raise
            time.sleep(_POLL_S)


@dataclass
class Seeding:
    """What was seeded in this program, and where the seeds are from; the runs of a tracer share it."""

    told: dict[str, Any] = field(default_factory=dict)
    derivation: SeedDerivation | None = None


class TracedRun:
    """One run, from `MLTracer.start_run`. Values are checked when they are logged, and recorded when the block ends.

    Attributes:
        recorded: the record, once there is one; ``recorded.state`` is ``stored`` while the chain is away.
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
        self.recorded: Recorded | None = None
        self.problem: BaseException | None = None
        self._histories = Histories()
        self._without_history: set[str] = set()
        self._encrypt_to = self._checked(encrypt_to)
        self._refused: list[Path] = []
        self.document = RunDocument.read(
            {"schema": 1, "name": name, "private": {"encrypt_to": self._encrypt_to}, **_template(template)}
        )
        if supersedes:
            self.log_input(record=supersedes, relation="supersedes")
        # the program that records this one gives the run its id and its time: nothing is anchored before
        self._checkpoints = CheckpointLog(None if RUN_FILE in os.environ else lab, anchor_every)

    # -- what is logged

    def log_param(self, name: str, value: Any, *, private: bool = False) -> None:
        """Logs one parameter; a `private` one is committed to and not shown (docs/privacy.md).

        Raises:
            InputError: as `log_params`, or if another parameter of the name is shown.
        """
        if private:
            self._hide("parameters", name, value)
        else:
            self.log_params({name: value})

    def log_params(self, parameters: Mapping[str, Any]) -> None:
        """Logs parameters; one that is logged again takes the new value. Text that looks like a secret is masked.

        Raises:
            InputError: naming the parameter, for NaN, infinity, or what JSON can't hold.
        """
        self._log("parameters", _without_secrets(plain(parameters, "parameters"), "parameters"))

    def log_metric(
        self,
        name: str,
        value: float,
        tolerance: float | Tolerance | None = None,
        *,
        step: int | None = None,
        private: bool = False,
    ) -> None:
        """Logs one metric; one that is logged again takes the new value.

        Args:
            name: of the metric.
            value: a finite number.
            tolerance: within what a reproduction must find it: a number is an absolute one.
            step: of the training: the values logged with one are kept as the metric's history; of a step that is logged
                again, the last.
            private: commit to it and do not show it: then nothing compares it, and it has no tolerance and no step.

        Raises:
            InputError: naming the metric.
        """
        if private:
            if tolerance is not None:
                raise InputError(f"metrics.{name}: expected no tolerance of a private metric: nothing compares it")
            if step is not None:
                raise InputError(f"metrics.{name}: expected no step of a private metric: its history would show it")
            self._hide("metrics", name, value)
            return
        at = None if step is None else _step(name, step)
        if tolerance is None:
            self._log("metrics", {name: value})
        else:
            allowed = tolerance if isinstance(tolerance, Tolerance) else {"absolute": tolerance}
            self._log("metrics", {name: {"value": value, "tolerance": allowed}})
        if at is not None:
            self._note(name, at)

    def _note(self, name: str, step: int) -> None:
        """Adds the metric's value to its history."""
        value, was_whole = self.document.metrics[name].value, not self._histories.thinned
        assert value is not None  # noqa: S101 -- it was logged
        if not self._histories.note(name, step, value) and name not in self._without_history:
            self._without_history.add(name)
            _warn(f"{name} is recorded without its history: a run keeps those of {MAX_HISTORIES} metrics")
        if was_whole and self._histories.thinned:
            _warn(f"histories of this run are thinned: it keeps {MAX_POINTS} values in all")

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Logs metrics: numbers, or ``{"value": …, "tolerance": {"absolute": …}}``."""
        self._log("metrics", metrics)

    def log_seed(self, name: str, value: Any) -> None:
        """Logs a seed by what it seeds."""
        self._log("seeds", {name: value})

    def set_description(self, text: str) -> None:
        """Says in words what the run is."""
        self._change(description=RunDocument.read(self._piece(description=text)).description)

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
        """Logs something that the run reads: a file or folder, a record by its id, or both.

        Args:
            encrypt_to: recipients, if `path` is to be recorded encrypted; the run's if not said, ``()`` for nobody.

        Raises:
            InputError: if there's nothing at `path`, a name or id is none, or git holds what is to be encrypted.
        """
        given = {"path": _existing(path, "inputs"), "record": record, "relation": relation, "kind": kind, "name": name}
        entry: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if path is not None:
            entry["encrypt_to"] = self._recipients(path, encrypt_to)
        self._change(inputs=self.document.inputs + RunDocument.read(self._piece(inputs=[entry])).inputs)

    def log_output(self, path: PathLike, role: str = "artifact", *, encrypt_to: Sequence[str] | None = None) -> None:
        """Logs a file or folder that the run wrote; one of role ``model`` is recorded as a model, too.

        Args:
            encrypt_to: recipients, if it is to be recorded encrypted; the run's if not said, ``()`` for nobody.

        Raises:
            InputError: if there's nothing at `path`, another output has its name, or git holds what is to be encrypted.
        """
        entry = {"path": _existing(path, "outputs"), "role": role, "encrypt_to": self._recipients(path, encrypt_to)}
        taken = {_public_name(output): output for output in self.document.outputs}
        [output] = RunDocument.read(self._piece(outputs=[entry])).outputs
        other = taken.get(_public_name(output))
        if other and other.path != output.path:
            raise InputError(
                f"outputs: expected names that differ, got {other.path} and {output.path}", field="outputs"
            )
        kept = tuple(one for one in self.document.outputs if one.path != output.path)
        self._change(outputs=(*kept, output))

    def place(self, name: str) -> Path:
        """A path in the lab's folder for a file of this run, to write and then to log as input or output.

        Where nothing else needs the file: it is the store's once the run is recorded, and removed here.

        Args:
            name: of the file.

        Raises:
            InputError: if it's no file's name.
        """
        if Path(name).name != name or name in ("", ".", ".."):
            raise InputError(f"expected the name of a file, got {name!r}")
        folder = self._lab.home.placed / self._key
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / name

    def log_initial_state(self, path: PathLike) -> None:
        """Commits to what the training starts from, such as the initial weights; before the first checkpoint.

        Raises:
            InputError: if there's nothing at `path`, or checkpoints were logged already.
        """
        self._checkpoints.initial(Path(_existing(path, "initial_state") or ""))

    def log_checkpoint(self, path: PathLike, step: int, *, keep: bool = False) -> str:
        """Commits to a checkpoint as it is now, chained to those before it; the link, 64 hex digits.

        After every `anchor_every` checkpoints the new ones are anchored, by another thread: only hashing takes time.

        Args:
            path: a file or folder, which may be overwritten afterwards.
            step: of the training, larger than the last checkpoint's.
            keep: keep a copy in the lab's store too.

        Raises:
            InputError: if there's nothing at `path`, it changes while it's read, or the step isn't larger.
        """
        file = Path(_existing(path, "checkpoint") or "")
        if self._checkpoints.is_full:
            _warn(f"the run has {len(self._checkpoints.listed.checkpoints)} checkpoints: no more are noted")
            return self._checkpoints.listed.head
        try:
            made = self._checkpoints.log(file, step, copy=keep)
        except StoreError as problem:
            _warn(f"the checkpoint of step {step} is not kept: {error_text(problem)}")
            return self._checkpoints.listed.head
        if self._checkpoints.is_due:
            self.anchor_checkpoints()
        return made.link

    def anchor_checkpoints(self) -> None:
        """Anchors the checkpoints that aren't yet. What stands in the way is a warning, and they go with the next."""
        try:
            self._checkpoints.anchor()
        except Exception as problem:
            _warn(f"checkpoints are not anchored yet: {error_text(problem)}")

    def _checked(self, encrypt_to: Sequence[str]) -> tuple[str, ...]:
        """Recipients; as they were given where another program records the run and so finds out whose they are."""
        if isinstance(encrypt_to, str):
            raise InputError("encrypt_to: expected a list of recipients, got one text", hint="Put it in brackets.")
        return tuple(encrypt_to) if RUN_FILE in os.environ else recipients_of(self._lab.home, encrypt_to)

    def _recipients(self, path: PathLike, encrypt_to: Sequence[str] | None) -> tuple[str, ...]:
        found = self._encrypt_to if encrypt_to is None else self._checked(encrypt_to)
        if found and self._start is not None:
            try:
                require_apart(self._start.git, [Path(path).expanduser()])
            except InputError:
                # whatever the program makes of this, the recorded difference must not show it
                self._refused.append(Path(path).expanduser().resolve())
                raise
        return found

    def _piece(self, **values: Any) -> dict[str, Any]:
        return {"schema": 1, "name": self.document.name, **values}

    def _log(self, field: str, values: Mapping[str, Any]) -> None:
        read = getattr(RunDocument.read(self._piece(**{field: values})), field)
        merged = {**getattr(self.document, field), **read}
        if field in ("parameters", "metrics"):
            self.document.private.require_apart(
                **{name: merged if name == field else () for name in ("parameters", "metrics")}
            )
        self._change(**{field: merged})

    def _hide(self, what: str, name: str, value: Any) -> None:
        read = RunDocument.read(self._piece(private={what: {name: value}})).private
        private = self.document.private
        private = private.model_copy(update={what: {**getattr(private, what), **getattr(read, what)}})
        private.require_apart(self.document.parameters, self.document.metrics)
        self._change(private=private)

    def _change(self, **values: Any) -> None:
        self.document = self.document.model_copy(update=values)

    # -- from start to record

    def __enter__(self) -> Self:
        self.begin()
        return self

    def begin(self) -> None:
        """Captures code, time and a final block, and tells now what would be refused after the training.

        Raises:
            ContractRevert: if the signer may not record for the group.
            InputError: if no registry, group or key is chosen.
        """
        if RUN_FILE in os.environ:
            return
        hidden = [self._folder / path for path in self.document.encrypted()]
        self._start = start_run(self._lab, self._folder, hidden)
        require_apart(self._start.git, hidden)
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
            _warn(f"the run {self.document.name!r} is not recorded: {error_text(problem)}\n{self._keep()}")
            if error is None and not isinstance(problem, Exception):
                raise
        else:
            if self.recorded and self.recorded.state == "stored" and not self._lab.hand_over:
                _warn(
                    f"the chain is away: run {self.recorded.id} is kept and waits; "
                    "`blockchaintracer outbox flush` sends it"
                )

    def finish(self) -> str | Pending:
        """Records what was logged; the transaction's hash (0x-hex), or a handle while there is none."""
        if histories := self._histories.documents():
            self._change(histories=histories)
        self._change(seeds={**self._seeding.told, **self.document.seeds}, seed_derivation=self._seeding.derivation)
        if self.document.error is not None:
            # it may not have come to what it announced
            self._change(outputs=tuple(one for one in self.document.outputs if Path(one.path).exists()))
        document = self.document
        check_template(document, complete=document.error is None)
        if RUN_FILE in os.environ:
            self._take_checkpoints()
            return self._write_run_file(Path(os.environ[RUN_FILE]))
        if self._start is None:
            raise InputError("expected a run that was started, got one that wasn't", hint="Use it in a with block.")
        outputs = [(output.role, Path(output.path)) for output in document.outputs]
        keeping = run_keeping(self._lab, document, self._folder, self._start.git, also=self._refused)
        inputs = record_inputs(self._lab, document, self._folder, keeping)
        record_models(self._lab, [path for role, path in outputs if role == "model"], inputs, keeping)
        facts = RunFacts(
            document=document,
            inputs=inputs,
            outputs=outputs,
            parents=linked_inputs(document),
            command=command_line(self._folder),
            observed="process",
            folder=self._folder,
            checkpoints=self._checkpoints.finish(),
            keeping=keeping,
        )
        self.recorded = finish_run(self._lab, self._start, facts)
        self._report()
        shutil.rmtree(self._lab.home.path / PLACED / self._key, ignore_errors=True)
        return _handle(self._lab, self.recorded)

    def _report(self) -> None:
        """Makes the report that the lab's setting asks for. If that fails, a warning says so: the run is recorded."""
        assert self.recorded is not None  # noqa: S101 -- called when it is
        if self.recorded.state == "stored":
            return
        try:
            for make in after_run:
                make(self._lab, self.recorded.id)
        except Exception as problem:
            _warn(f"run {self.recorded.id} is recorded, and no report of it was made: {error_text(problem)}")

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from html import escape

        if self.recorded is not None:
            return self.recorded._repr_html_()
        return f"<b>run {escape(self.document.name)}</b>, not recorded"

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
        return Pending(None, file)

    def _take_checkpoints(self) -> None:
        """Puts the checkpoints into the document, for whoever records it."""
        log = self._checkpoints
        if log.listed.checkpoints or log.listed.initial_state:
            self._change(checkpoints=log.listed, checkpoint_anchors=tuple(log.anchors))

    def _keep(self) -> str:
        """Leaves what was logged where it can be recorded from later; tells where."""
        self._take_checkpoints()
        try:
            file = keep_unrecorded(self._lab, self.document)
        except (OSError, BlockchainTracerError) as error:
            reason = error_text(error)
            return f"It could not be kept either ({reason}): it's in the run's `document` until the program ends."
        return f"It's kept: `blockchaintracer record --from {file}` records it."


class MLTracer:
    """Records a training run: as a context manager by `start_run`, or by `update_experiment` and `write_to_blockchain`.

    Where ``$BLOCKCHAINTRACER_RUN_FILE`` is set, because `record` or `reproduce` runs the program, it writes the run
    document there and leaves the recording to them.

    Args:
        home: the lab's working folder; see `blockchaintracer.lab.lab_folder.Home`.
        rpc: JSON-RPC of a chain; ``$BLOCKCHAINTRACER_RPC``, else the embedded devnet, if not said.
        registry: its address; the one used last if not said.
        group: number of the group to record for; the one used last if not said.
        key: name of a key in the keystore, or ``command:`` and a program that signs; never a key.
        name: of runs that get none.
        template: experiment template that runs follow.
        supersedes: id of the run that the next one is a new version of.
        wait: whether this process brings its runs to the chain. With False it hands them over to the outbox, signs
            nothing, and asks the chain for nothing once a run has started: `blockchaintracer outbox flush` sends them.
    """

    def __init__(
        self,
        home: PathLike | None = None,
        rpc: str | None = None,
        registry: str | None = None,
        group: int | None = None,
        key: str | None = None,
        *,
        name: str = "experiment",
        template: str | None = None,
        supersedes: str | None = None,
        wait: bool = True,
    ) -> None:
        self._lab = Lab(
            home=Home(home),
            rpc=rpc or os.environ.get(RPC_VARIABLE),
            registry_address=registry,
            key_name=key,
            group_number=group,
            ask=_ask if sys.stdin and sys.stdin.isatty() else None,
            say=lambda message: _log.info("%s", message),
            hand_over=not wait,
        )
        self._name = name
        self._template = template
        self._supersedes = supersedes
        self._seeding = Seeding()
        self._data = ExperimentData()
        self._run: TracedRun | None = None
        self._written: str | Pending | None = None

    def start_run(
        self,
        name: str | None = None,
        *,
        template: str | None = None,
        supersedes: str | None = None,
        anchor_every: int | None = None,
        encrypt_to: Sequence[str] = (),
    ) -> TracedRun:
        """A run to use in a ``with`` block; see `TracedRun`.

        Args:
            name: what people call it.
            template: experiment template it follows.
            supersedes: id of the run that it is a new version of.
            anchor_every: anchor checkpoints after so many; if not said, when `TracedRun.anchor_checkpoints` is called.
            encrypt_to: recipients to whom inputs, outputs and private values are recorded encrypted: ``age1…``, lines
                of SSH public keys, names of the lab's encryption keys, or files that list such.

        Raises:
            InputError: naming what is no recipient.
        """
        return TracedRun(
            self._lab,
            name or self._name,
            template=template or self._template,
            supersedes=supersedes or self._supersedes,
            seeding=self._seeding,
            anchor_every=anchor_every,
            encrypt_to=encrypt_to,
        )

    def seed_everything(
        self, seed: int | None = None, *, from_chain: bool = False, plan: str | Sealed | None = None, wait_s: float = 0
    ) -> dict[str, Any]:
        """Seed all generators in use (see `lab.capture.random_seeds`); the runs record what was seeded.

        With `from_chain` each generator gets a seed that follows from the hash of a block which nobody knew when `plan`
        was sealed: the first block after the seal, or the one that the plan's values name as ``seedBlock``. The
        derivation is recorded, and `verify` recomputes it.

        Args:
            seed: 0 to 2**32 - 1; None with `from_chain`.
            from_chain: derive the seeds.
            plan: what `seal` gave, its commitment, or the id of the record that was sealed.
            wait_s: seconds to wait for the block to be final.

        Returns:
            ``seed`` for what has no global state, ``seeded``, ``notSeeded``, ``pythonHashSeed``; of derived seeds also
            ``seeds`` by generator.

        Raises:
            InputError: if the seed is out of range, or nothing of that plan was sealed.
            ChainUnavailable: if the chain is away, or the block isn't final yet.
        """
        if from_chain != (seed is None) or from_chain != (plan is not None):
            raise InputError("expected a seed, or from_chain=True with the sealed plan", hint="See docs/seeds.md.")
        derivation = None
        if plan is not None:
            commitment = plan.commitment if isinstance(plan, Sealed) else plan
            derivation = seeds_from_chain(self._lab, commitment, wait_s)
            each = {name: value for name, value in derivation.seeds.items() if name != "seed"}
            told = seed_everything(derivation.seeds["seed"], each)
        else:
            told = seed_everything(seed)  # type: ignore[arg-type]
        self._seeding.told, self._seeding.derivation = dict(told), derivation
        return told

    def seal(
        self, path: PathLike, *, kind: str = "plan", name: str | None = None, seed_block: int | None = None
    ) -> Sealed:
        """Commits to a file or folder without showing it: a plan before the data, a result before it's unblinded.

        Its salt is kept in the lab's folder and nowhere else.

        Args:
            path: what is sealed; it's kept.
            kind: ``plan``, ``result``, ``document``, …, or your own number.
            name: what people will call it once it's revealed.
            seed_block: number of the block that `seed_everything` is to take the seeds from; the first after the seal
                if not said.

        Returns:
            the seal: `commitment` for others to see, `id` for `reveal` and for nobody else until then.

        Raises:
            InputError: if there is nothing at `path`, or it is recorded already.
            ContractRevert: before anything is kept, if the signer lacks the role.
        """
        what = Path(_existing(path, "path") or "")
        with sealing(self._lab):
            values: dict[str, Any] = {} if seed_block is None else {"values": {SEED_BLOCK: str(seed_block)}}
            sealed = record_path(self._lab, parse_number(kind, Kind), what, name=name, **values)
        if not isinstance(sealed, Sealed):
            raise InputError(f"{what} is recorded already, as {sealed.id}: there is nothing left to seal")
        return sealed

    def reveal(self, commitment: str) -> Revealed:
        """Shows what was sealed, with the time of the seal, and says how many other seals are unrevealed.

        Args:
            commitment: of the seal, or the id of its record.

        Raises:
            InputError: if this lab's folder has no such seal, or it was never sent.
            ContractRevert: if the registry refuses it.
        """
        return reveal(self._lab, commitment)

    def update_experiment(
        self,
        *,
        model_config: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        model_path: PathLike | None = None,
        dataset_info: Mapping[str, Any] | None = None,
        git_commit: str | None = None,
        timestamp: str | float | datetime | None = None,
        additional_info: Mapping[str, Any] | None = None,
    ) -> None:
        """Tells of the experiment; the first call starts the run, later ones add to it or replace what was told.

        Args:
            model_config: settings of the model by name.
            metrics: finite numbers by name, or ``{"value": …, "tolerance": {"absolute": …}}``.
            model_path: a file or folder, which is kept and recorded as a model.
            dataset_info: what there is to say of the data, by name.
            git_commit: 4 to 64 hex digits; one that isn't the captured commit is recorded as declared, not proven.
            timestamp: a time that you declare (RFC 3339 text, datetime, Unix seconds); never shown as the chain's.
            additional_info: anything else by name.

        Raises:
            InputError: naming the field, such as ``metrics.accuracy`` for NaN. Nothing of the call is taken then.
        """
        values = {
            "model_config": model_config,
            "metrics": metrics,
            "model_path": _existing(model_path, "model_path"),
            "dataset_info": dataset_info,
            "git_commit": git_commit,
            "timestamp": timestamp,
            "additional_info": additional_info,
        }
        told = ExperimentData.read({key: value for key, value in values.items() if value is not None})
        if self._run is None:
            run = self.start_run()
            run.begin()
            self._run = run
        self._data = self._data.merge(told)
        self._written = None

    def write_to_blockchain(self) -> str | Pending:
        """Records what `update_experiment` told; the transaction's hash (0x-hex).

        Called again without anything new, it answers the same and pays nothing. What is told afterwards begins a new
        run, with all that was told before.

        Returns:
            the hash, or a `Pending` handle while the chain is away.

        Raises:
            InputError: if nothing was told, or it doesn't fit the template.
            ContractRevert: if the registry refuses it.
        """
        if self._written is not None:
            return self._written
        if self._run is None:
            raise InputError("expected an experiment to record, got none", hint="Call update_experiment first.")
        run, data = self._run, self._data
        if data.metrics:
            run._change(metrics={**run.document.metrics, **data.metrics})
        experiment = data.experiment().to_json()
        run._change(
            experiment=type(data.experiment()).read(_without_secrets(experiment, "experiment")),
            declared_timestamp=data.timestamp,
        )
        if data.model_path:
            run.log_output(data.model_path, "model")
        self._written = run.finish()
        self._run = None
        return self._written

    def get_transaction_details(self, tx: str) -> dict[str, Any]:
        """What the chain knows of a transaction.

        Args:
            tx: its hash, with or without 0x.

        Returns:
            ``transaction``, ``status`` (success, reverted or pending), ``block`` (number and hash), ``time`` (Unix
            seconds by the chain) and ``timeUtc``, ``finality`` (final, included or pending), ``chainId``,
            ``registry``, ``recordIds``, ``from``, ``to``, ``gasUsed``, ``feeWei`` (text) and ``events`` (the registry's
            own, decoded).

        Raises:
            InputError: if it's no hash, or the chain doesn't know it.
        """
        digest = normal_digest(tx, "transaction hash")
        self._lab.reconnect()
        chain, registry = self._lab.chain, self._lab.registry
        found = chain.transaction(digest)
        if found is None:
            raise InputError(
                f"transaction 0x{digest} is not known on {chain.name}",
                hint="Check the network; one that was just sent may take a moment.",
            )
        receipt = chain.receipt(digest)
        events = [_event(event) for event in registry.events_of(receipt)] if receipt else []
        block = chain.block(receipt["blockNumber"]) if receipt else None
        final = chain.finalized()
        ids = [event["arguments"].get("id") or event["arguments"].get("recordId") for event in events]
        return {
            "transaction": f"0x{digest}",
            "status": "pending" if not receipt else "success" if receipt["status"] == 1 else "reverted",
            "block": {"number": block.number, "hash": f"0x{block.hash}"} if block else None,
            "time": block.timestamp if block else None,
            "timeUtc": rfc3339(datetime.fromtimestamp(block.timestamp, UTC)) if block else None,
            "finality": "pending" if not block else "final" if final and block.number <= final.number else "included",
            "chainId": chain.chain_id,
            "registry": registry.address,
            "recordIds": list(dict.fromkeys(record_id for record_id in ids if record_id)),
            "from": found["from"],
            "to": found["to"],
            "gasUsed": receipt["gasUsed"] if receipt else None,
            "feeWei": str(receipt["gasUsed"] * receipt["effectiveGasPrice"]) if receipt else None,
            "events": events,
        }


class BlockchainTracer(MLTracer):
    """Records experiments that are over, each from one dictionary.

    Args:
        use_mlflow: also records parameters and metrics of MLflow's active run.
        options: as `MLTracer` takes.

    Raises:
        InputError: if MLflow is asked for and not installed.
    """

    def __init__(self, use_mlflow: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._mlflow = require("mlflow", "mlflow") if use_mlflow else None

    def track_experiment(self, data: Mapping[str, Any]) -> str | Pending:
        """Records one experiment as a run of its own; the transaction's hash, or a handle while the chain is away.

        Args:
            data: ``name``, ``description``, ``parameters`` and what `update_experiment` takes, by those names.

        Raises:
            InputError: naming the field that is wrong or unknown.
        """
        if not isinstance(data, Mapping):
            raise InputError(f"expected the experiment as a dictionary, got {type(data).__name__}")
        told = dict(data)
        parameters, metrics = self._from_mlflow()
        parameters |= told.pop("parameters", None) or {}
        if metrics:
            told["metrics"] = metrics | dict(told.get("metrics") or {})
        name, description = told.pop("name", None), told.pop("description", None)
        told["model_path"] = _existing(told.get("model_path"), "model_path")
        read = ExperimentData.read({key: value for key, value in told.items() if value is not None})
        run = self.start_run(name)
        run.log_params(parameters)
        if description:
            run.set_description(description)
        run.begin()
        self._run, self._data, self._written = run, read, None
        return self.write_to_blockchain()

    def _from_mlflow(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if self._mlflow is None:
            return {}, {}
        active = self._mlflow.active_run()
        if active is None:
            raise InputError("expected an active MLflow run, got none", hint="Call it inside mlflow.start_run().")
        logged = self._mlflow.get_run(active.info.run_id).data
        return dict(logged.params), dict(logged.metrics)


def _handle(lab: Lab, recorded: Recorded) -> str | Pending:
    if recorded.transaction is None or recorded.block is None:
        return Pending(recorded.id, None, lab)
    return f"0x{recorded.transaction}"


def _event(event: Any) -> dict[str, Any]:
    return {"event": event["event"], "logIndex": event["logIndex"], "arguments": _jsonable(event["args"])}


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {key: _jsonable(item) for key, item in value.items()}
    return [_jsonable(item) for item in value] if isinstance(value, list | tuple) else value


def _template(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    from blockchaintracer.lab.recording.templates import load_template

    found = load_template(name)
    return {"template": {"name": found.name, "version": found.version}}


def _public_name(output: DocumentOutput) -> str:
    """What the manifest calls an output."""
    return Path(output.path).name + (".age" if output.encrypt_to else "")


def _existing(path: PathLike | None, field: str) -> str | None:
    if path is None:
        return None
    try:
        found = Path(path).expanduser().resolve()
        if found.exists():
            return str(found)
    except (TypeError, ValueError, RuntimeError):
        pass
    raise InputError(f"{field}: expected a file or folder, got nothing at {str(path)[:200]!r}", field=field)


def error_text(error: BaseException) -> str:
    """Return the type and message of an exception for a manifest or a warning, with secrets masked."""
    try:
        message = str(error).encode("utf-8", "replace").decode()
    except Exception:
        message = ""
    masked = mask(message)
    masked = "\n".join(mask(line) for line in masked.split("\n"))
    return f"{type(error).__name__}: {masked}"[:_MAX_ERROR] if masked else type(error).__name__


def _without_secrets(value: Any, field: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_secret(key, item, f"{field}.{key}") for key, item in value.items()}
    return [_without_secrets(item, field) for item in value] if isinstance(value, list) else value


def _without_secret(key: str, value: Any, field: str) -> Any:
    if not isinstance(value, str):
        return _without_secrets(value, field)
    if mask_arguments([f"{key}={value}"]) == [f"{key}={value}"]:
        return value
    _warn(f"{field} looks like a secret and is recorded as {MASK}")
    return MASK


def _step(metric: str, step: Any) -> int:
    number = plain(step, f"metrics.{metric}.step")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise InputError(f"metrics.{metric}.step: expected an integer of 0 or more, got {step!r}")
    return number


def _warn(message: str) -> None:
    warnings.warn(message, RecordingWarning, stacklevel=3)


def _ask(question: str) -> str:
    from getpass import getpass

    return getpass(f"{question}: ")


def command_line(folder: Path) -> list[str] | None:
    """Return the command line of this process, to repeat the run; None in a notebook or a shell."""
    given = list(sys.orig_argv)
    if hasattr(sys, "ps1") or "-c" in given[1:2] or "ipykernel" in sys.modules or len(given) < 2:
        return None
    script = Path(given[1])
    if script.is_absolute():
        # a path from the root tells who and where
        given[1] = script.relative_to(folder).as_posix() if script.is_relative_to(folder) else script.name
    return given
