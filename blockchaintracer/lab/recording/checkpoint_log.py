"""Checkpoints of a run that is going on: committed to as they come, anchored in batches, never in the training's way.

What is anchored enters the outbox in this thread, which takes milliseconds; another thread brings it to the chain. If
the chain is unavailable, or the process dies, the anchor waits there for `outbox flush`, and a list of the checkpoints
lies in the lab's folder.
"""

from __future__ import annotations

import operator
import os
import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from blockchaintracer.core.digest import digest_folder, sha256_file
from blockchaintracer.core.errors import BlockchainTracerError, InputError, StoreError
from blockchaintracer.core.manifest import CheckpointAnchor, Checkpoints, State
from blockchaintracer.core.manifest.checkpoint_list import (
    AnchoredCheckpoints,
    CheckpointList,
    ListedCheckpoint,
    root_of,
)
from blockchaintracer.core.plain_json import refuse, rfc3339
from blockchaintracer.core.record import Role
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Op, Transaction
from blockchaintracer.lab.recording.keep import keep, keep_attachment, require_never_encrypted
from blockchaintracer.lab.store.store import Store

LISTING = "checkpoints.json"
MAX_CHECKPOINTS = 20_000
"""Of one run: what a list may hold that is read strictly."""
MAX_UNRECORDED = 2_000
"""Of a run that another program records, from a run document of at most 1 MiB."""
MAX_ANCHORS = 1_000
"""Of one run: its manifest names them all and has at most 1 MiB."""


class CheckpointLog:
    """The checkpoints of one run.

    Args:
        lab: None where another program records the run: then nothing is anchored meanwhile.
        every: anchor after so many checkpoints; None for on request alone.
    """

    def __init__(self, lab: Lab | None, every: int | None = None) -> None:
        if every is not None and every < 1:
            raise InputError(f"expected to anchor after at least one checkpoint, got {every}")
        self._lab = lab
        self._every = every
        self._anchored = 0
        self._sender: _Sender | None = None
        self.listed = CheckpointList(series=str(uuid.uuid4()))
        self.anchors: list[CheckpointAnchor] = []

    def initial(self, path: Path) -> State:
        """Note what the training starts from, before the first checkpoint."""
        if self.listed.checkpoints:
            raise InputError("expected the initial state before the first checkpoint, got it after")
        state = self._state(path, copy=False)
        self.listed = self.listed.model_copy(update={"initial_state": state})
        return state

    def log(self, path: Path, step: int, *, copy: bool = False) -> ListedCheckpoint:
        """Commit to a file or folder as it is now; it may be overwritten afterwards.

        Args:
            step: of the training, larger than the last one's.
        """
        try:
            step = operator.index(step)
        except TypeError:
            raise InputError(f"step: expected a whole number, got {type(step).__name__}") from None
        state = self._state(path, copy=copy)
        self.listed = extended(self.listed, state, step, path.name, rfc3339(datetime.now(UTC)))
        made = self.listed.checkpoints[-1]
        if self._lab:
            self._note(self._lab, made)
        return made

    @property
    def is_full(self) -> bool:
        """Whether no more can be noted."""
        return len(self.listed.checkpoints) >= (MAX_CHECKPOINTS if self._lab else MAX_UNRECORDED)

    @property
    def is_due(self) -> bool:
        """Whether as many came since the last anchor as `every` says."""
        waiting = len(self.listed.checkpoints) - self._anchored
        return self._lab is not None and self._every is not None and waiting >= self._every

    def anchor(self) -> CheckpointAnchor | None:
        """Enter a batch of the new checkpoints into the outbox and let another thread send it.

        Returns None if there are none, or the run has `MAX_ANCHORS`: the rest is fixed by its record.

        Raises:
            BlockchainTracerError: if it can't be entered; the checkpoints go into the next batch.
        """
        lab, count = self._lab, len(self.listed.checkpoints)
        if lab is None or count == self._anchored or len(self.anchors) == MAX_ANCHORS:
            return None
        batch = batch_from(self.listed, self._anchored)
        description = keep_attachment(lab.store, f"checkpoints-{batch.first + 1}-{count}.json", batch.to_bytes())
        group, author = lab.group(Role.RECORDER), lab.signer.address
        fields = {"group": group, "author": author, "root": batch.root, "count": batch.count}
        write = Transaction(Op.ANCHOR, lab.domain.registry, **fields, manifest=description.sha256)
        lab.enter(write)
        made = CheckpointAnchor(root=batch.root, count=batch.count, description=description)
        self.anchors.append(made)
        self._anchored = count
        if self._sender is None and lab.connect is None:
            self._sender = _Sender(lab)
        if self._sender:
            self._sender.woken.set()
        return made

    def finish(self) -> Checkpoints | None:
        """Store the list and return what the run's manifest says of it; None if nothing was logged.

        Checkpoints that are not anchored yet are fixed by the record of the run itself.
        """
        if self._sender:
            self._sender.stop()
        if self._lab is None or (self.listed.initial_state is None and not self.listed.checkpoints):
            return None
        return keep_checkpoints(self._lab.store, self.listed, self.anchors)

    def _state(self, path: Path, *, copy: bool) -> State:
        subject_type: Literal["file", "folder"] = "folder" if path.is_dir() else "file"
        if copy and self._lab and (kept := keep(self._lab, path)).content:
            return State(subject_type=subject_type, sha256=kept.subject, size=kept.content.size)
        if subject_type == "folder":
            folder = digest_folder(path)
            state = State(subject_type=subject_type, sha256=folder.sha256, size=folder.size)
        else:
            counts: list[int] = []
            state = State(subject_type=subject_type, sha256=sha256_file(path, counts.append), size=sum(counts))
        if self._lab:
            require_never_encrypted(self._lab, path, state.sha256)
        return state

    def _note(self, lab: Lab, made: ListedCheckpoint) -> None:
        """Add a line to the list in the lab's folder, on the disk: what a run that is killed leaves behind."""
        file = lab.home.checkpoints / f"{self.listed.series}.jsonl"
        line = made.model_dump_json(by_alias=True) + "\n"
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "w") as out:
                out.write(line)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise StoreError(f"the list {file} can't be written: {error.strerror}") from None


def keep_checkpoints(
    store: Store, listed: CheckpointList | None, anchors: Sequence[CheckpointAnchor]
) -> Checkpoints | None:
    """Store a list and return what a run's manifest says of it; None without a list."""
    if listed is None:
        return None
    return Checkpoints(
        series=listed.series,
        count=len(listed.checkpoints),
        head=listed.head,
        root=root_of(listed.checkpoints) if listed.checkpoints else None,
        initial_state=listed.initial_state,
        listing=keep_attachment(store, LISTING, listed.to_bytes()),
        anchors=tuple(anchors),
    )


class _Sender:
    """A thread that flushes the outbox when it's woken. What it can't do waits for the next flush."""

    def __init__(self, lab: Lab) -> None:
        # SQLite and HTTP connections are of one thread; the key is open already
        self._lab = replace(lab, signer_given=lab.signer, registry_address=lab.domain.registry, committer=None)
        self.woken = threading.Event()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="blockchaintracer-anchor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ends = True
        self.woken.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self.woken.wait()
            self.woken.clear()
            # what was entered last is sent, too
            ends = self._ends
            try:
                self._lab.send()
            except BlockchainTracerError as error:
                self._lab.say(f"checkpoints wait in the outbox: {error.message}")
            except Exception as error:
                # whatever it is, the training has nothing to do with it
                self._lab.say(f"checkpoints wait in the outbox: {type(error).__name__}")
            if ends:
                return


def extended(whole: CheckpointList, state: State, step: int, name: str, written_at: str) -> CheckpointList:
    """Return the list with another checkpoint."""
    if whole.checkpoints and step <= whole.checkpoints[-1].step:
        refuse("step", f"a step after the last checkpoint's, {whole.checkpoints[-1].step}", step)
    values = {**state.to_json(), "step": step, "name": name, "writtenAt": written_at}
    unlinked = ListedCheckpoint.from_plain({**values, "link": "00" * 32})
    made = unlinked.model_copy(update={"link": unlinked.chained(whole.head, len(whole.checkpoints))})
    return whole.model_copy(update={"checkpoints": (*whole.checkpoints, made)})


def batch_from(whole: CheckpointList, first: int) -> AnchoredCheckpoints:
    """Return the batch of all checkpoints from a place on."""
    part = whole.checkpoints[first:]
    previous = whole.checkpoints[first - 1].link if first else whole.genesis
    return AnchoredCheckpoints(
        series=whole.series, first=first, count=len(part), previous=previous, root=root_of(part), checkpoints=part
    )
