"""Checkpoints within a run: committed to as they come, and every way to pass off another list as what was anchored."""

import hashlib
import json
import os
import subprocess
import sys
import textwrap
import uuid
from pathlib import Path

import pytest

from blockchaintracer import MLTracer, RecordingWarning
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Checkpoints, RunPredicate, State, parse_manifest
from blockchaintracer.core.manifest.checkpoint_list import AnchoredCheckpoints, CheckpointList
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import to_hex
from blockchaintracer.core.verify import Outcome
from blockchaintracer.lab.capture.program import RUN_FILE
from blockchaintracer.lab.recording.checkpoint_log import extended, keep_checkpoints
from blockchaintracer.lab.recording.content import record_run
from blockchaintracer.lab.verify_here import verify
from tests.support.labs import running_lab, typed, verb

STEPS = (10, 20, 30, 40, 50)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RUN_FILE, raising=False)
    (tmp_path / "start.bin").write_bytes(os.urandom(40))
    return tmp_path


def train(run, steps=STEPS):
    """One file, overwritten at each step, as trainers do."""
    run.log_initial_state("start.bin")
    for step in steps:
        Path("weights.bin").write_bytes(b"%d" % step + os.urandom(40))
        run.log_checkpoint("weights.bin", step=step)


@pytest.fixture(scope="module")
def honest(lab, tmp_path_factory):
    """A run of five checkpoints, of which four were anchored in two batches: its record's id and predicate."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("honest"))
    try:
        Path("start.bin").write_bytes(os.urandom(40))
        with MLTracer(lab.home.path).start_run("training", anchor_every=2) as run:
            train(run)
    finally:
        os.chdir(before)
    assert run.problem is None
    return run.recorded.id, parse_manifest(lab.store.get_bytes(run.recorded.manifest)).predicate


def listed(lab, run) -> CheckpointList:
    return CheckpointList.from_bytes(lab.store.get_bytes(run.checkpoints.listing.sha256))


def relinked(of: CheckpointList, entries) -> CheckpointList:
    """A list of these entries whose chain holds: what a forger would make."""
    made = CheckpointList(series=of.series, initial_state=of.initial_state)
    for entry in entries:
        state = State(subject_type=entry.subject_type, sha256=entry.sha256, size=entry.size)
        made = extended(made, state, entry.step, entry.name, entry.written_at)
    return made


def recorded_with(lab, run: RunPredicate, checkpoints: Checkpoints) -> str:
    """The same run under another id, with another list: really recorded by its author."""
    forged = run.model_copy(update={"run_id": str(uuid.uuid4()), "checkpoints": checkpoints})
    return record_run(lab, forged).id


def failures(lab, record_id) -> dict[str, str]:
    return {check.name: check.detail for check in verify(lab, record_id).failed}


def test_an_honest_list_verifies_with_its_order_and_times(lab, honest):
    record_id, run = honest
    assert [entry.step for entry in listed(lab, run).checkpoints] == list(STEPS)
    assert (run.checkpoints.count, [anchor.count for anchor in run.checkpoints.anchors]) == (5, [2, 2])
    assert run.checkpoints.initial_state.size == 40
    report = verify(lab, record_id)
    assert report.verified, report.failed
    told = {check.name: check for check in report.checks}
    assert told["checkpoints"].verdict is Outcome.PASS
    first, second = told["anchor 1"], told["anchor 2"]
    assert "steps 10 to 20" in first.detail
    assert "steps 30 to 40" in second.detail
    assert first.values["block"] < second.values["block"] < report.records[0].block
    assert "1 later ones are fixed by the run's record alone" in told["order"].detail
    shown = typed("verify", record_id, home=lab.home.path)
    assert shown.returncode == 0, shown.stdout
    assert "steps 30 to 40" in shown.stdout


def test_the_registry_has_the_root_of_each_batch_and_its_description(lab, honest):
    _, run = honest
    for anchor in run.checkpoints.anchors:
        assert lab.registry.batch(1, lab.signer.address, anchor.root).count == anchor.count
        event = lab.registry.anchored(1, lab.signer.address, anchor.root)
        data = lab.store.get_bytes(event.args["manifest"].hex())
        assert AnchoredCheckpoints.from_bytes(data).root == anchor.root


def test_a_link_is_what_the_documentation_says(lab, honest):
    """Recomputed from the JSON alone, with nothing of the package."""
    _, run = honest
    data = json.loads(lab.store.get_bytes(run.checkpoints.listing.sha256))

    def sha256(value):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    link = sha256({name: data[name] for name in ("type", "series", "initialState")})
    for index, entry in enumerate(data["checkpoints"]):
        link = sha256({**entry, "link": None, "previous": link, "index": index})
        assert entry["link"] == link
    assert link == run.checkpoints.head


def _dropped(entries):
    return [one for one in entries if one.step != 20], "dropped: step 20"


def _inserted(entries):
    made = entries[1].model_copy(update={"step": 25, "sha256": "ab" * 32})
    return sorted([*entries, made], key=lambda one: one.step), "inserted: step 25 (abababababab"


def _swapped(entries):
    one, other = entries[1], entries[2]
    swapped = [entries[0], one.model_copy(update={"sha256": other.sha256})]
    return [*swapped, other.model_copy(update={"sha256": one.sha256}), *entries[3:]], "reordered: step 20"


def _changed(entries):
    return [*entries[:3], entries[3].model_copy(update={"sha256": "cd" * 32}), *entries[4:]], "changed: step 40 (cdcd"


def _backdated(entries):
    made = entries[0].model_copy(update={"written_at": "2001-01-01T00:00:00Z"})
    return [made, *entries[1:]], "other names, sizes or times"


def _cut(entries):
    return list(entries[:3]), "dropped: step 40"


@pytest.mark.parametrize("attack", [_dropped, _inserted, _swapped, _changed, _backdated, _cut])
def test_a_list_that_was_changed_after_its_anchors_is_told_entry_by_entry(lab, honest, attack):
    _, run = honest
    whole = listed(lab, run)
    entries, says = attack(list(whole.checkpoints))
    forged = relinked(whole, entries)
    assert not list(forged.problems())
    found = failures(lab, recorded_with(lab, run, keep_checkpoints(lab.store, forged, list(run.checkpoints.anchors))))
    assert says in found["order"]
    assert any("have another root" in detail for detail in found.values())


def test_entries_that_are_not_chained_again_are_told_by_place(lab, honest):
    _, run = honest
    whole = listed(lab, run)
    entries = list(whole.checkpoints)
    entries[1], entries[2] = entries[2], entries[1]
    forged = whole.model_copy(update={"checkpoints": tuple(entries)})
    found = failures(lab, recorded_with(lab, run, keep_checkpoints(lab.store, forged, list(run.checkpoints.anchors))))
    assert "step 30" in found["checkpoints"]
    assert "at place 2 is not chained" in found["checkpoints"]
    assert "at place 3 comes after step 30" in found["checkpoints"]
    assert "reordered: step" in found["order"]


def test_anchors_left_out_or_made_up_are_told(lab, honest):
    _, run = honest
    whole = listed(lab, run)
    anchors = list(run.checkpoints.anchors)
    found = failures(lab, recorded_with(lab, run, keep_checkpoints(lab.store, whole, anchors[:1])))
    assert "steps 30, 40" in found["anchors left out"]
    assert set(found) == {"anchors left out"}
    found = failures(lab, recorded_with(lab, run, keep_checkpoints(lab.store, whole, anchors[::-1])))
    assert "anchored before the one that it follows" in found["anchor 2"]
    made_up = anchors[0].model_copy(update={"root": "0x" + "11" * 32})
    found = failures(lab, recorded_with(lab, run, keep_checkpoints(lab.store, whole, [made_up, anchors[1]])))
    assert "never anchored" in found["anchor 1"]


def test_a_manifest_that_disagrees_with_its_list_is_told(lab, honest):
    _, run = honest
    other = run.checkpoints.model_copy(update={"head": "12" * 32, "initial_state": None})
    found = failures(lab, recorded_with(lab, run, other))
    assert "the manifest says the last link 1212" in found["checkpoints"]
    assert "the initial state None" in found["checkpoints"]


def test_a_list_that_is_not_here_is_unknown_and_one_that_is_none_fails(lab, honest):
    _, run = honest
    for content, verdict in ((None, Outcome.UNKNOWN), (b"[1]", Outcome.FAIL), (b"\x00" * 9, Outcome.FAIL)):
        digest = lab.store.put_bytes(content) if content else "34" * 32
        listing = run.checkpoints.listing.model_copy(update={"sha256": digest})
        record_id = recorded_with(lab, run, run.checkpoints.model_copy(update={"listing": listing}))
        [check] = [one for one in verify(lab, record_id).checks if one.name == "checkpoints"]
        assert check.verdict is verdict


def test_wrong_use_is_refused_and_anchoring_never_waits(lab):
    tracer = MLTracer(lab.home.path)
    with pytest.raises(InputError, match="at least one checkpoint"):
        tracer.start_run("r", anchor_every=0)
    Path("w").write_bytes(b"1")
    with tracer.start_run("r") as run:
        run.log_checkpoint("w", 5)
        for step in (5, 4, -1, "6", 6.5):
            with pytest.raises(InputError, match="step"):
                run.log_checkpoint("w", step)
        with pytest.raises(InputError, match="checkpoint: expected a file or folder"):
            run.log_checkpoint("nowhere", 6)
        with pytest.raises(InputError, match="before the first checkpoint"):
            run.log_initial_state("w")
        run.anchor_checkpoints()
        run.anchor_checkpoints()
    said = parse_manifest(lab.store.get_bytes(run.recorded.manifest)).predicate
    assert [anchor.count for anchor in said.checkpoints.anchors] == [1]
    assert verify(lab, run.recorded.id).verified


def test_a_checkpoint_may_be_a_folder_and_be_kept(lab):
    Path("ck").mkdir()
    Path("ck/a").write_bytes(b"1")
    with MLTracer(lab.home.path).start_run("r") as run:
        run.log_checkpoint("ck", 1, keep=True)
        run.log_checkpoint("ck", 2)
    said = parse_manifest(lab.store.get_bytes(run.recorded.manifest)).predicate
    entries = listed(lab, said).checkpoints
    assert [one.subject_type for one in entries] == ["folder", "folder"]
    assert entries[0].sha256 == entries[1].sha256
    lab.store.verify(entries[0].sha256)


def test_while_the_chain_is_away_anchors_wait_and_the_training_goes_on(tmp_path):
    with running_lab(tmp_path) as lab:
        tracer = MLTracer(lab.home.path, rpc=lab.devnet.start().url)
        with pytest.warns(RecordingWarning, match="the chain is unavailable"):  # noqa: PT031, SIM117
            with tracer.start_run("r", anchor_every=1) as run:
                lab.devnet.stop()
                train(run, (1, 2))
        assert run.recorded.state == "stored"
        waiting = [entry.write.op for entry in lab.outbox.pending(lab.chain_id)]
        assert waiting == ["anchor", "anchor", "record"]
        assert typed("outbox", "flush", home=lab.home.path).returncode == 0
        assert verify(type(lab)(lab.home), run.recorded.id).verified


def test_a_run_that_is_killed_leaves_its_list_and_its_anchors(lab, folder):
    """Nothing of the training waits for the chain, and nothing that was logged is gone with the process."""
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from blockchaintracer import MLTracer
        run = MLTracer(sys.argv[1]).start_run("r", anchor_every=2)
        run.begin()
        for step in range(5):
            Path("w").write_bytes(b"%d" % step)
            run.log_checkpoint("w", step)
        print(run._checkpoints.listed.series, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(lab.home.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr
    lines = (lab.home.checkpoints / f"{done.stdout.strip()}.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 1, 2, 3, 4]
    lab.flush()
    roots = {to_hex(event.args["root"]) for event in lab.registry.events("Anchored")}
    links = [json.loads(line)["link"] for line in lines]
    assert {MerkleTree(links[0:2]).root, MerkleTree(links[2:4]).root} <= roots


def test_a_program_that_another_records_hands_its_list_over(lab, folder):
    script = folder / "train.py"
    script.write_text(
        textwrap.dedent("""
        from pathlib import Path
        from blockchaintracer import MLTracer
        with MLTracer().start_run("r", anchor_every=1) as run:
            for step in (1, 2, 3):
                Path("w").write_bytes(b"%d" % step)
                run.log_checkpoint("w", step)
    """)
    )
    done = verb("record", "--json", "--", sys.executable, str(script), home=lab.home.path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    said = parse_manifest(lab.store.get_bytes(found["records"][-1]["manifest"])).predicate
    assert [one.step for one in listed(lab, said).checkpoints] == [1, 2, 3]
    assert said.checkpoints.anchors == ()
    assert verify(lab, found["id"]).verified


def test_a_run_that_could_not_be_recorded_keeps_its_anchors_in_its_document(lab, folder, monkeypatch):
    monkeypatch.setattr("blockchaintracer.lab.traced_run.record_models", lambda *more: 1 / 0)
    with pytest.warns(RecordingWarning, match="record --from") as caught:  # noqa: SIM117
        with MLTracer(lab.home.path).start_run("r", anchor_every=1) as run:
            train(run, (1, 2))
    document = str(caught[0].message).split("record --from ")[1].split("`")[0]
    done = typed("record", "--from", document, "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    found = verify(lab, json.loads(done.stdout)["id"])
    assert found.verified, found.failed
    assert [check.name for check in found.checks if check.name.startswith("anchor ")] == ["anchor 1", "anchor 2"]
