"""Recording from Python: `MLTracer` around a training, `BlockchainTracer` after one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import plain, rfc3339
from blockchaintracer.core.record import Kind, named_hex, normal_id, parse_number
from blockchaintracer.core.seed_derivation import SEED_BLOCK
from blockchaintracer.lab.capture.random_seeds import seed_everything
from blockchaintracer.lab.optional import require

if TYPE_CHECKING:
    # imported with the first tracer, run or seal: a program that imports a tracer may make none
    from blockchaintracer.lab.lab import Lab
    from blockchaintracer.lab.seals import Revealed, Sealed
    from blockchaintracer.lab.traced_run import PathLike, Pending, TracedRun


def lab_of_tracer(
    logger: logging.Logger,
    home: PathLike | None,
    rpc: str | None,
    registry: str | None,
    group: int | None,
    key: str | None,
    **more: Any,
) -> Lab:
    """Open the lab of a tracer, which asks for a passphrase where a person can answer. `more` as `Lab` takes."""
    from blockchaintracer.lab.chosen_network import choose_network
    from blockchaintracer.lab.lab import Lab
    from blockchaintracer.lab.lab_folder import Home

    ask: Callable[[str], str] = lambda question: getpass(f"{question}: ")  # noqa: E731
    lab = Lab(
        home=Home(home),
        rpc=rpc,
        registry_address=registry,
        key_name=key,
        group_number=group,
        ask=ask if sys.stdin and sys.stdin.isatty() else None,
        say=lambda message: logger.info("%s", message),
        **more,
    )
    if chosen := choose_network(lab):
        lab.say(chosen)
    return lab


class MLTracer:
    """Records a training run: as a context manager by `start_run`, or by `update_experiment` and `write_to_blockchain`.

    Where ``$BLOCKCHAINTRACER_RUN_FILE`` is set, because `record` or `reproduce` runs the program, it writes the run
    document there and leaves the recording to them.

    Args:
        home: the lab's working folder; see `blockchaintracer.lab.lab_folder.Home`.
        rpc: JSON-RPC of a chain; if not said, what the command line would take: ``$BLOCKCHAINTRACER_RPC``, the network
            in use, else the embedded devnet, where a lab that has written to no chain gets a registry and a group.
        registry: its address; the one written to last if not said.
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
        from blockchaintracer.lab.recording.experiment import ExperimentData
        from blockchaintracer.lab.traced_run import Seeding

        self._lab = lab_of_tracer(logging.getLogger(__name__), home, rpc, registry, group, key, hand_over=not wait)
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
        """Return a run to use in a ``with`` block; see `TracedRun`.

        Args:
            supersedes: id of the run that it is a new version of.
            anchor_every: anchor checkpoints after so many; if not said, when `TracedRun.anchor_checkpoints` is called.
            encrypt_to: recipients to whom inputs, outputs and private values are recorded encrypted: ``age1…``, lines
                of SSH public keys, names of the lab's encryption keys, or files that list such.

        Raises:
            InputError: naming what is not a recipient.
        """
        from blockchaintracer.lab.traced_run import TracedRun

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
            ChainUnavailable: if no node answers, or the block isn't final yet.
        """
        if from_chain != (seed is None) or from_chain != (plan is not None):
            raise InputError("expected a seed, or from_chain=True with the sealed plan", hint="See docs/seeds.md.")
        derivation = None
        if plan is not None:
            from blockchaintracer.lab.chain_seeds import seeds_from_chain

            commitment = plan if isinstance(plan, str) else plan.commitment
            derivation = seeds_from_chain(self._lab, commitment, wait_s)
            each = {name: value for name, value in derivation.seeds.items() if name != "seed"}
            seeded = seed_everything(derivation.seeds["seed"], each)
        else:
            seeded = seed_everything(seed)  # type: ignore[arg-type]
        self._seeding.seeds, self._seeding.derivation = dict(seeded), derivation
        return seeded

    def seal(
        self, path: PathLike, *, kind: str = "plan", name: str | None = None, seed_block: int | None = None
    ) -> Sealed:
        """Commit to a file or folder without showing it: a plan before the data, a result before it's unblinded.

        Its salt is kept in the lab's folder and nowhere else.

        Args:
            path: what is sealed; it's kept.
            kind: ``plan``, ``result``, ``document``, …, or your own number.
            seed_block: number of the block that `seed_everything` is to take the seeds from; the first after the seal
                if not said.

        Returns:
            the seal: `commitment` for others to see, `id` for `reveal` and for nobody else until then.

        Raises:
            InputError: if there is nothing at `path`, or it is recorded already.
            ContractRevert: before anything is kept, if the signer lacks the role.
        """
        from blockchaintracer.lab.recording.content import record_path
        from blockchaintracer.lab.seals import Sealed, sealing
        from blockchaintracer.lab.traced_run import existing

        file = Path(existing(path, "path"))
        with sealing(self._lab):
            values: dict[str, Any] = {} if seed_block is None else {"values": {SEED_BLOCK: str(seed_block)}}
            sealed = record_path(self._lab, parse_number(kind, Kind), file, name=name, **values)
        if not isinstance(sealed, Sealed):
            raise InputError(f"{file} is recorded already, as {sealed.id}: there is nothing left to seal")
        return sealed

    def reveal(self, commitment: str) -> Revealed:
        """Show what was sealed, with the time of the seal, and say how many other seals are unrevealed.

        Raises:
            InputError: if this lab's folder has no such seal, or it was never sent.
            ContractRevert: if the registry refuses it.
        """
        from blockchaintracer.lab.seals import reveal

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
        """Describe the experiment; the first call starts the run, later ones add to it or replace what was said.

        Args:
            model_config: settings of the model by name.
            metrics: numbers by name, or ``{"value": …, "tolerance": {"absolute": …}}``.
            model_path: a file or folder, which is kept and recorded as a model.
            dataset_info: what there is to say of the data, by name.
            git_commit: 4 to 64 hex digits; one that isn't the captured commit is recorded as declared, not proven.
            timestamp: a time that you declare (RFC 3339 text, datetime, Unix seconds); never shown as the chain's.
            additional_info: anything else by name.

        Raises:
            InputError: naming the field, such as ``metrics.accuracy`` for text. Nothing of the call is taken then.
        """
        from blockchaintracer.lab.recording.experiment import ExperimentData
        from blockchaintracer.lab.traced_run import existing

        values = {
            "model_config": model_config,
            "metrics": metrics,
            "model_path": None if model_path is None else existing(model_path, "model_path"),
            "dataset_info": dataset_info,
            "git_commit": git_commit,
            "timestamp": timestamp,
            "additional_info": additional_info,
        }
        data = ExperimentData.from_plain({key: value for key, value in values.items() if value is not None})
        if self._run is None:
            # a class of the user's own may start its runs in another way, and describe them there
            run = MLTracer.start_run(self)
            run.begin()
            self._run = run
        self._data = self._data.merge(data)
        self._written = None

    def write_to_blockchain(self) -> str | Pending:
        """Record what `update_experiment` described; the transaction's hash (0x-hex).

        Called again without anything new, it answers the same and pays nothing. What is said afterwards begins a new
        run, with all that was said before.

        Returns:
            the hash, or a `Pending` handle while the chain is unavailable.

        Raises:
            InputError: if nothing was described, or it doesn't fit the template.
            ContractRevert: if the registry refuses it.
        """
        if self._written is not None:
            return self._written
        if self._run is None:
            raise InputError("expected an experiment to record, got none", hint="Call update_experiment first.")
        from blockchaintracer.lab.traced_run import masked

        run, data = self._run, self._data
        if data.metrics:
            run.log_metrics(data.metrics)
        run.set_experiment(masked(data.experiment().to_json(), "experiment"), data.timestamp)
        if data.model_path:
            run.log_output(data.model_path, "model")
        self._written = run.finish()
        self._run = None
        return self._written

    def end_run(self) -> str | Pending | None:
        """Record what `update_experiment` described and was not written yet; None if there is nothing.

        For a class of your own, which overrides it and `start_run`. A with block of `start_run` ends by itself.
        """
        return None if self._run is None else self.write_to_blockchain()

    def get_transaction_details(self, tx: str | Pending) -> dict[str, Any]:
        """Return what the chain knows of a transaction.

        Args:
            tx: its hash, with or without 0x. Of a `Pending` run nothing is told but ``status``, ``finality`` and
                ``recordIds``.

        Returns:
            ``transaction``, ``status`` (success, reverted or pending), ``block`` (number and hash), ``time`` (Unix
            seconds by the chain) and ``timeUtc``, ``finality`` (final, included or pending), ``chainId``,
            ``registry``, ``recordIds``, ``from``, ``to``, ``gasUsed``, ``feeWei`` (text) and ``events`` (the registry's
            own, decoded).

        Raises:
            InputError: if it's no hash, or the chain doesn't know it.
        """
        from blockchaintracer.lab.traced_run import Pending

        if isinstance(tx, Pending):
            return {"status": "pending", "finality": "pending", "recordIds": [tx.record_id] if tx.record_id else []}
        digest = normal_id(tx, "transaction hash")
        self._lab.reconnect()
        chain, registry = self._lab.chain, self._lab.registry
        transaction = chain.transaction(digest)
        if transaction is None:
            raise InputError(
                f"transaction {digest} is not known on {chain.name}",
                hint="Check the network; one that was just sent may take a moment.",
            )
        receipt = chain.receipt(digest)
        block = chain.block(receipt.block) if receipt else None
        final = chain.finalized()
        events = [
            {"event": event.name, "logIndex": event.position.log, "arguments": _jsonable(event.args)}
            for event in (registry.events_of(receipt) if receipt else ())
        ]
        ids = [event["arguments"].get("id") or event["arguments"].get("recordId") for event in events]
        return {
            "transaction": digest,
            "status": "pending" if not receipt else "success" if receipt.succeeded else "reverted",
            "block": {"number": block.number, "hash": block.hash} if block else None,
            "time": block.timestamp if block else None,
            "timeUtc": rfc3339(datetime.fromtimestamp(block.timestamp, UTC)) if block else None,
            "finality": "pending" if not block else "final" if final and block.number <= final.number else "included",
            "chainId": chain.chain_id,
            "registry": registry.address,
            "recordIds": list(dict.fromkeys(record_id for record_id in ids if record_id)),
            "from": transaction.sender,
            "to": transaction.to,
            "gasUsed": receipt.gas_used if receipt else None,
            "feeWei": str(receipt.fee_wei) if receipt and receipt.fee_wei is not None else None,
            "events": events,
        }


class BlockchainTracer(MLTracer):
    """Records experiments that are over, each from one dictionary.

    Args:
        use_mlflow: also records parameters and metrics of MLflow's active run; without one, an MLflow run is made.
        options: as `MLTracer` takes.

    Raises:
        InputError: if MLflow is asked for and not installed.
    """

    def __init__(self, use_mlflow: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._mlflow = require("mlflow", "mlflow") if use_mlflow else None

    def track_experiment(self, data: Mapping[str, Any]) -> str | Pending:
        """Record one experiment as a run of its own; the transaction's hash, or a handle while there is none.

        Args:
            data: ``name``, ``description``, ``parameters`` and what `update_experiment` takes, by those names.
        """
        if not isinstance(data, Mapping):
            raise InputError(f"expected the experiment as a dictionary, got {type(data).__name__}")
        from blockchaintracer.lab.recording.experiment import ExperimentData
        from blockchaintracer.lab.traced_run import existing

        fields = {key: value for key, value in data.items() if value is not None}
        if self._mlflow and self._mlflow.active_run() is None:
            return self._track_in_mlflow(fields)
        parameters, metrics = self._from_mlflow()
        parameters |= fields.pop("parameters", {})
        if metrics:
            fields["metrics"] = metrics | dict(fields.get("metrics", {}))
        name, description = fields.pop("name", None), fields.pop("description", None)
        if "model_path" in fields:
            fields["model_path"] = existing(fields["model_path"], "model_path")
        experiment = ExperimentData.from_plain(fields)
        run = MLTracer.start_run(self, name)
        run.log_params(parameters)
        if description:
            run.set_description(description)
        run.begin()
        self._run, self._data, self._written = run, experiment, None
        return self.write_to_blockchain()

    def _from_mlflow(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if self._mlflow is None:
            return {}, {}
        logged = self._mlflow.get_run(self._mlflow.active_run().info.run_id).data
        return dict(logged.params), dict(logged.metrics)

    def _track_in_mlflow(self, fields: dict[str, Any]) -> str | Pending:
        """Make an MLflow run with what is given, and record it inside."""
        from blockchaintracer.lab.recording.experiment import ExperimentData
        from blockchaintracer.lab.traced_run import masked

        assert self._mlflow is not None  # noqa: S101
        described = {key: value for key, value in fields.items() if key not in ("name", "description", "parameters")}
        metrics = ExperimentData.from_plain(described).metrics
        with self._mlflow.start_run(run_name=fields.get("name")):
            self._mlflow.log_params(masked(plain(fields.get("parameters", {}), "parameters"), "parameters"))
            self._mlflow.log_metrics({name: metric.value for name, metric in (metrics or {}).items()})
            return self.track_experiment(fields)


def _jsonable(value: Any, name: str = "") -> Any:
    if isinstance(value, bytes):
        return named_hex(name, value)
    if isinstance(value, Mapping):
        return {key: _jsonable(item, key) for key, item in value.items()}
    return [_jsonable(item) for item in value] if isinstance(value, list | tuple) else value
