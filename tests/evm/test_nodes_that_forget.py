"""Nodes drop receipts and logs and keep the state. No verdict changes by that: what is known without the history stays
what it was, and what is not known is unknown, never "no record".

The life of a registry is played once in this process. Then nodes answer that forgot everything before each of its
blocks, in each of the four ways in which nodes say so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import ChainUnavailable, HistoryPruned
from blockchaintracer.core.verify import Outcome, Report
from blockchaintracer.extras.archive.registry_archive import export_registry, import_registry
from blockchaintracer.extras.renewal.as_of import registry_as_of
from blockchaintracer.extras.search import Index, query
from blockchaintracer.lab.verify_here import verify, verify_order
from tests.support.labs import typed
from tests.support.memory_node import MODES, answering, forgetful, without_old_state
from tests.support.registry_life import FULL, Life, live

TARGETS = ("data", "model", "run", "sealed", "batched", "stored", "wrong", "child", "late")
LAST = 20
"""The last block of the life, which every node still has."""
FORGOTTEN = {"author", "role", "key", "not-before", "finality", "seal", "batch", "history", "seed choice"}
"""Checks that may become unknown: who sent what, and what else only events tell."""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    life = live(tmp_path_factory.mktemp("life"))
    assert life.node.head == LAST
    return life


def outcome(report: Report) -> tuple[str, set[str]]:
    return str(report.conclusion), {check.name for check in report.failed}


def of_each(life: Life, home: Path, names: tuple[str, ...] = TARGETS, **more: Any) -> dict[str, Report]:
    lab = life.open_lab(home, FULL)
    return {name: verify(lab, life.ids[name], **more) for name in names}


@pytest.fixture(scope="module")
def known(life: Life, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """What a stranger with the published store finds by a node with all history."""
    with answering(full=life.node.answer):
        return of_each(life, tmp_path_factory.mktemp("known"), sources=[life.published])


@pytest.mark.parametrize("cut", range(2, LAST + 1))
@pytest.mark.parametrize("mode", MODES)
def test_with_its_key_at_hand_no_verdict_of_a_record_changes(
    life: Life, known: dict[str, Report], tmp_path: Path, mode: str, cut: int
) -> None:
    # at every block each mode, and between them all records
    names = tuple(name for place, name in enumerate(TARGETS) if (place + cut + MODES.index(mode)) % 5 == 0)
    with answering(full=forgetful(life.node, mode, cut)):
        for name, report in of_each(life, tmp_path / "home", names, sources=[life.published]).items():
            assert outcome(report) == outcome(known[name]), name
            new = {check.name for check in report.unknown} - {check.name for check in known[name].unknown}
            assert new <= FORGOTTEN, name
            assert report.proves or not known[name].proves


@pytest.mark.parametrize("cut", [5, 9, 14, LAST])
@pytest.mark.parametrize("mode", MODES)
def test_without_its_key_a_record_is_unknown_and_never_missing(
    life: Life, known: dict[str, Report], tmp_path: Path, mode: str, cut: int
) -> None:
    with answering(full=forgetful(life.node, mode, cut)):
        lab = life.open_lab(tmp_path / "home", FULL)
        for name in ("data", "stored", "late"):
            by_id, by_file = verify(lab, life.ids[name]), verify(lab, str(life.files[name]))
            transaction = verify(lab, life.transactions.get(name, life.ids[name]))
            for report in (by_id, by_file, transaction):
                assert str(report.conclusion) in ("verified", "unavailable")
                assert not report.failed
            if not by_id.records:
                [check] = by_id.checks
                assert "(state)" in check.detail
                assert f"begins at block {cut}" in check.detail
            if not by_file.records:
                assert "an export or a proof" in by_file.checks[0].detail
        assert str(verify(lab, "ab" * 32).conclusion) == "unavailable"


@pytest.mark.parametrize("mode", MODES)
def test_in_its_own_home_a_record_is_recorded_with_the_place_that_the_outbox_kept(life: Life, mode: str) -> None:
    with answering(full=forgetful(life.node, mode, LAST)):
        lab = life.open_lab(life.lab.home.path, FULL)
        report = verify(lab, life.ids["data"])
        assert str(report.conclusion) == "verified"
        recorded = next(check for check in report.checks if check.name == "recorded")
        assert "recorded (state)" in recorded.detail
        assert life.transactions["data"] in recorded.detail
        assert "this node has forgotten block" in recorded.detail
        assert "outbox flush" not in str(report.as_json())
        assert str(verify(lab, str(life.files["data"])).conclusion) == "verified"
        order = verify_order(lab, life.ids["data"], life.ids["late"])
        assert str(order.conclusion) == "verified"
        assert str(verify_order(lab, life.ids["late"], life.ids["data"]).conclusion) == "not verified"


@pytest.mark.parametrize("mode", MODES)
def test_a_key_file_is_enough(life: Life, tmp_path: Path, mode: str) -> None:
    key = life.published / "proofs" / f"{life.ids['model']}.json"
    where = ("--rpc", FULL, "--registry", life.lab.registry_address or "", "--chain-id", str(life.node.chain.chain_id))
    with answering(full=forgetful(life.node, mode, LAST)):
        done = typed("verify", life.ids["model"], *where, home=tmp_path / "none")
        assert done.returncode == 3, done.stdout + done.stderr
        assert "--key-file" in done.stdout
        done = typed("verify", life.ids["model"], *where, "--key-file", str(key), home=tmp_path / "none")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "recorded (state); transaction unknown" in done.stdout
        assert "verdict of group 2" in done.stdout


@pytest.mark.parametrize("mode", MODES)
def test_what_the_index_holds_stays_and_new_records_are_added(life: Life, tmp_path: Path, mode: str) -> None:
    with answering(full=life.node.answer), Index(tmp_path / "index") as index:
        lab = life.open_lab(tmp_path / "home", FULL)
        index.sync(lab.registry, lab.store)
        before = {row.id for row in query(index)}
    assert before == {life.ids[name] for name in TARGETS if name != "batched"}
    with Index(tmp_path / "index") as index, answering(full=forgetful(life.node, mode, LAST)):
        # as after `import --offline`
        index._db.execute("UPDATE registries SET imported = 1")
        lab = life.open_lab(tmp_path / "home", FULL)
        report = index.sync(lab.registry, lab.store)
        assert {row.id for row in query(index)} == before
        assert report.gap
        assert f"begins at block {LAST}" in report.gap
    with Index(tmp_path / "index") as index, answering(full=life.node.answer):
        lab = life.open_lab(tmp_path / "home", FULL)
        assert index.sync(lab.registry, lab.store).gap is None
        assert {row.id for row in query(index)} == before


@pytest.mark.parametrize("mode", MODES)
def test_reading_verbs_say_what_is_missing(life: Life, tmp_path: Path, mode: str) -> None:
    where = ("--rpc", FULL, "--registry", life.lab.registry_address or "", "--chain-id", str(life.node.chain.chain_id))
    with answering(full=forgetful(life.node, mode, 12)):
        done = typed("query", *where, home=tmp_path / "home")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "begins at block 12" in done.stderr
        for words in (("query", "nothing"), ("lineage", life.ids["data"]), ("impact", life.ids["data"])):
            done = typed(*words, *where, home=tmp_path / "home")
            assert done.returncode == 3, done.stdout + done.stderr
            assert "begins at block 12" in done.stderr
        done = typed("status", life.ids["data"], *where, home=tmp_path / "home")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Status    recorded" in done.stdout
        done = typed("status", life.ids["data"], *where, home=life.lab.home.path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_where_history_begins_is_found_by_few_questions(life: Life, tmp_path: Path) -> None:
    for mode in MODES:
        with answering(full=forgetful(life.node, mode, 13)):
            registry = life.open_lab(tmp_path / "home", FULL).registry
            before = life.node.asked.total()
            assert registry.history.gap
            assert "begins at block 13" in registry.history.gap
            assert life.node.asked.total() - before < 30
    with answering(full=life.node.answer):
        assert life.open_lab(tmp_path / "home", FULL).registry.history.gap is None


def test_what_a_lab_wrote_long_ago_is_not_sent_again(life: Life, tmp_path: Path) -> None:
    for mode in MODES:
        with answering(full=forgetful(life.node, mode, LAST)):
            lab = life.open_lab(life.lab.home.path, FULL)
            assert lab.outbox.recheck(lab.chain) == []


def test_a_retraction_is_told_by_the_state(life: Life, tmp_path: Path) -> None:
    with answering(full=forgetful(life.node, "4444", LAST)):
        lab = life.open_lab(tmp_path / "home", FULL)
        report = verify(lab, life.ids["wrong"], sources=[life.published])
        [failed] = report.failed
        assert failed.name == "retraction"
        assert failed.verdict is Outcome.FAIL
        assert "by whom and why is unknown" in failed.detail


@pytest.mark.parametrize("forgot_events", [False, True])
def test_as_of_a_date_is_judged_by_a_node_that_has_no_old_state(
    life: Life, tmp_path: Path, forgot_events: bool
) -> None:
    """Times in today's state never change once they are written: they tell what held then."""
    asked = life.node.asked["old state"]
    full = forgetful(life.node, "4444", LAST, headers=True) if forgot_events else life.node.answer
    with answering(full=without_old_state(life.node, full)):
        now = life.open_lab(tmp_path / "home", FULL).registry
        wrong, model = (now.status(life.ids[name]) for name in ("wrong", "model"))

        def judged(name: str, time: int) -> tuple[str, set[str], set[str]]:
            lab = life.open_lab(tmp_path / "home", FULL)
            lab.__dict__["registry"] = registry_as_of(lab.registry, time)
            report = verify(lab, life.ids[name], sources=[life.published])
            return *outcome(report), {check.name for check in report.unknown}

        outcomes = {
            "before it was recorded": judged("wrong", wrong.recorded_at - 1),
            "before its retraction": judged("wrong", wrong.retracted_at - 1),
            "since its retraction": judged("wrong", wrong.retracted_at),
            "what rests on it, before": judged("child", wrong.retracted_at - 1),
            "what rests on it, since": judged("child", wrong.retracted_at),
        }
        verified, failed = ("verified", set()), "not verified"
        assert {name: told[:2] for name, told in outcomes.items()} == {
            "before it was recorded": ("unavailable", set()) if forgot_events else (failed, {"recorded"}),
            "before its retraction": verified,
            "since its retraction": (failed, {"retraction"}),
            "what rests on it, before": verified,
            "what rests on it, since": (failed, {"lineage"}),
        }
        new = {name for told in outcomes.values() for name in told[2]} - {"subject"}
        assert new <= (FORGOTTEN | {"recorded"} if forgot_events else set())
        if forgot_events:
            # neither the state of then nor an event tells whether a verdict of today was there
            with pytest.raises(HistoryPruned, match="not available"):
                judged("model", model.recorded_at)
        else:
            assert judged("model", model.recorded_at)[:2] == verified
        with pytest.raises(ChainUnavailable, match="no block that is as old"):
            judged("wrong", 1)
    assert life.node.asked["old state"] > asked


@pytest.mark.parametrize("cut", [5, 13, LAST])
@pytest.mark.parametrize("mode", MODES)
def test_of_several_nodes_the_one_that_knows_is_asked(
    life: Life, known: dict[str, Report], tmp_path: Path, mode: str, cut: int
) -> None:
    with answering(pruned=forgetful(life.node, mode, cut), full=life.node.answer):
        lab = life.open_lab(tmp_path / "home", "http://pruned/,http://full/")
        for name in ("model", "sealed", "stored"):
            report = verify(lab, life.ids[name], sources=[life.published])
            assert outcome(report) == outcome(known[name])
            assert report.unknown == known[name].unknown
        assert str(verify(lab, str(life.files["data"])).conclusion) == "verified"
        assert str(verify(lab, "ab" * 32).conclusion) == "not verified"


@pytest.mark.parametrize("mode", MODES)
def test_an_archive_is_not_made_of_a_part_and_what_is_imported_stays(life: Life, tmp_path: Path, mode: str) -> None:
    archive = tmp_path / "registry.tar"
    with answering(full=life.node.answer):
        export_registry(life.open_lab(life.lab.home.path, FULL), archive)
    where = ("--rpc", FULL, "--registry", life.lab.registry_address or "", "--chain-id", str(life.node.chain.chain_id))
    home = tmp_path / "home"
    with answering(full=forgetful(life.node, mode, LAST)):
        lab = life.open_lab(home, FULL)
        for asking in (lambda: export_registry(lab, tmp_path / "part.tar"), lambda: import_registry(lab, archive)):
            with pytest.raises(ChainUnavailable, match=f"begins at block {LAST}"):
                asking()
        assert not (tmp_path / "part.tar").exists()
        import_registry(lab, archive, offline=True)
        for words in (("query",), ("lineage", life.ids["late"])):
            done = typed(*words, *where, "--json", home=home)
            assert done.returncode == 0, done.stdout + done.stderr
            assert life.ids["data"] in done.stdout, "imported, and not dropped"
        done = typed("verify", life.ids["model"], *where, home=home)
        assert done.returncode == 0, "the index has its key"
        done = typed("query", *where, "--json", home=home)
        assert life.ids["data"] in done.stdout


def test_a_header_that_a_node_still_has_tells_hash_and_time(life: Life, tmp_path: Path) -> None:
    with answering(full=forgetful(life.node, "4444", LAST, headers=True)):
        chain = life.open_lab(tmp_path / "home", FULL).chain
        block = chain.block(5)
        assert block
        assert (block.hash, hex(block.timestamp)) == (life.node.blocks[5]["hash"], life.node.blocks[5]["timestamp"])
        report = verify(life.open_lab(life.lab.home.path, FULL), life.ids["data"])
        assert str(report.conclusion) == "verified"
        time = next(check for check in report.checks if check.name == "time")
        assert "(state)" not in time.detail
    with answering(full=forgetful(life.node, "4444", LAST)):
        chain = life.open_lab(tmp_path / "home", FULL).chain
        assert chain.remembered(lambda: chain.block(5)) is None
