"""Records that are hashed again: what a renewal covers, what it tells when SHA-256 is broken, what held at a date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from click.testing import CliRunner

from blockchaintracer.cli import main
from blockchaintracer.cli.shown_times import receipts_of
from blockchaintracer.core.record import Kind
from blockchaintracer.core.verify import copies
from blockchaintracer.extras.archive.registry_archive import export_registry, import_registry
from blockchaintracer.extras.renewal.as_of import registry_as_of
from blockchaintracer.extras.renewal.renew import kept_renewals, own_records, renew
from blockchaintracer.extras.renewal.renewal_file import RenewalFile
from blockchaintracer.lab.attest import retract
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.formats import WITNESS_SETTINGS
from blockchaintracer.lab.kept_evidence import renewals_list
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from tests.support.authority import authority
from tests.support.labs import again, shared_lab
from tests.support.serving import serving


@dataclass
class Story:
    lab: Lab
    data: str
    folder: str
    batched: str
    renewal: str
    times: dict[str, int]


def now(lab: Lab) -> int:
    return lab.chain.head().timestamp


def wait(lab: Lab) -> None:
    """Let a minute pass on the chain, so that what comes next has another time."""
    lab.chain.ask("evm_increaseTime", 60)
    lab.chain.ask("evm_mine")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A file, a folder and a batched file, renewed; the folder is retracted later."""
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        here = tmp_path_factory.mktemp("files")
        (here / "data.csv").write_text("x\n1\n")
        (here / "folder").mkdir()
        for name in ("one", "two"):
            (here / "folder" / name).write_text(name)
        times = {"before": now(lab)}
        wait(lab)
        data = record_content(lab, Kind.DATASET, here / "data.csv", name="the data").id
        folder = record_content(lab, Kind.DATASET, here / "folder").id
        (here / "batched").write_text("batched")
        with batching(lab):
            batched = record_content(lab, Kind.DATASET, here / "batched").id
        anchor(lab)
        times["recorded"] = now(lab)
        wait(lab)
        (renewal,), skipped = renew(lab, own_records(lab))
        assert (set(renewal.renews), skipped, renewal.missing) == ({data, folder, batched}, [], ())
        times["renewed"] = now(lab)
        wait(lab)
        retract(lab, folder, "a wrong folder")
        yield Story(again(lab), data, folder, batched, renewal.record.id, times)


def verified(lab: Lab, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["verify", *arguments, "--home", str(lab.home.path), "--json"])
    answer: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    return answer | {"exit": done.exit_code}


def outcome(answer: dict[str, Any], name: str) -> list[str]:
    return [check["verdict"] for check in answer["checks"] if check["name"].startswith(name)]


def date(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat()


def test_one_tree_has_all_that_the_records_commit_to(story: Story):
    (file,) = kept_renewals(story.lab)
    names = {name.partition("/")[0] for name in file.tree.leaves}
    assert names == {"key", "object", "receipt", "batch"}
    for content in (b"x\n1\n", b"one", b"two", b"batched"):
        leaf = file.tree.leaves[f"object/{hashlib.sha256(content).hexdigest()}"]
        assert leaf == (hashlib.sha512(content).digest(), hashlib.sha3_256(content).digest())
    assert sum(name.startswith("key/") for name in file.tree.leaves) == 3
    # on the chain stands the root by SHA3-256 itself
    record = story.lab.registry.find_record(story.renewal)
    assert record is not None
    assert record.key.subject == file.tree.roots[1].hex()
    answer = verified(story.lab, story.renewal)
    # the folder that it renews was retracted since, and it rests on it
    assert (answer["exit"], outcome(answer, "subject"), outcome(answer, "lineage")) == (1, ["pass"], ["fail"])


@pytest.mark.parametrize("name", ["data", "batched"])
def test_a_record_counts_after_the_break_only_if_it_was_renewed_before(story: Story, name: str):
    record = getattr(story, name)
    answer = verified(story.lab, record)
    assert (answer["exit"], outcome(answer, "renewal")) == (0, ["pass"])
    assert [it["id"] for it in answer["renewals"]] == [story.renewal]
    for day, exit_code in ((date(story.times["renewed"] + 3600), 0), (date(story.times["recorded"]), 1)):
        answer = verified(story.lab, record, "--broken", f"sha256:{day}")
        assert (answer["exit"], outcome(answer, "algorithm sha256")) == (exit_code, ["fail" if exit_code else "pass"])
    # the only witness of the renewal is the chain, which rests on Keccak-256
    assert verified(story.lab, record, "--broken", "keccak256:2090-01-01")["exit"] == 1
    assert verified(story.lab, record, "--broken", "md5:2090-01-01")["exit"] == 2


def test_only_the_second_hash_tells_a_forged_content_of_the_same_sha256(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In this test's view of the world SHA-256 is broken: every object has the digest that it is named by."""
    lab = copy_of(story, tmp_path)
    path = lab.store.path_of(hashlib.sha256(b"x\n1\n").hexdigest())
    path.chmod(0o600)
    path.write_bytes(b"x\n2\n")
    real = copies.FolderCopies._digest

    def broken(self: Any, file: Path, profile: str | None) -> Any:
        digest = real(self, file, profile)
        is_forged = file == path
        return type(digest)(file.parent.name + file.name, *RECORDED) if is_forged else digest

    RECORDED = (4, record_cid(story, b"x\n1\n"), "unixfs-v1-2025")
    monkeypatch.setattr(copies.FolderCopies, "_digest", broken)
    answer = verified(lab, story.data)
    assert outcome(answer, "subject") == ["pass"], "the forgery has the same SHA-256"
    assert (answer["exit"], outcome(answer, "renewal")) == (1, ["fail"])
    assert verified(lab, story.data, "--broken", "sha256:2090-01-01")["exit"] == 1
    for file in (lab.home.path / "renewals").iterdir():
        file.unlink()
    assert verified(lab, story.data)["exit"] == 0, "without the renewal nothing tells it"


def record_cid(story: Story, content: bytes) -> str:
    from blockchaintracer.core.digest import digest_bytes

    return digest_bytes(content).cid


def copy_of(story: Story, folder: Path) -> Lab:
    import shutil

    home = shutil.copytree(story.lab.home.path, folder / "home", symlinks=True)
    return Lab(Home(home), starts_devnet=False)


def test_what_is_not_here_is_named_and_not_renewed(story: Story, tmp_path: Path):
    lab = copy_of(story, tmp_path)
    lost = hashlib.sha256(b"one").hexdigest()
    path = lab.store.path_of(lost)
    kept = path.read_bytes()
    path.unlink()
    for file in (lab.home.path / "renewals").iterdir():
        file.unlink()
    data = str(lab.home.path)
    done = CliRunner().invoke(main, ["renew", story.data, story.folder, "--home", data])
    assert done.exit_code == 0, done.output
    assert f"Partial, what is not here is not renewed: object/{lost}" in done.output
    answer = verified(lab, story.data, "--broken", "sha256:2090-01-01")
    assert answer["exit"] == 0, "of this record nothing is missing"
    path.write_bytes(kept)
    answer = verified(lab, story.folder, "--broken", "sha256:2090-01-01")
    assert outcome(answer, "algorithm") == ["fail"]
    (renewal,) = answer["renewals"]
    left = [f"object/{lost}"]
    assert (renewal["leftOut"], renewal["missing"], renewal["complete"]) == (left, left, False)
    again_ = CliRunner().invoke(main, ["renew", story.folder, "--home", data, "--json"])
    assert json.loads(again_.output.splitlines()[-1])["renewals"][0]["missing"] == []
    again_ = CliRunner().invoke(main, ["renew", story.folder, "--home", data, "--json"])
    assert json.loads(again_.output.splitlines()[-1])["skipped"] == [story.folder]


def test_a_renewal_that_was_never_recorded_renews_nothing(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A process that ends, or a registry that refuses, between keeping and recording it."""
    lab = copy_of(story, tmp_path)
    for file in (lab.home.path / "renewals").iterdir():
        file.unlink()

    def end(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as here:
        here.setattr("blockchaintracer.extras.renewal.renew.commit", end)
        with pytest.raises(KeyboardInterrupt):
            renew(lab, [story.data])
    assert len(kept_renewals(lab)) == 1
    assert verified(lab, story.data, "--broken", "sha256:2090-01-01")["exit"] == 1
    done, skipped = renew(lab, [story.data])
    assert (len(done), skipped) == (1, [])
    assert verified(lab, story.data, "--broken", "sha256:2090-01-01")["exit"] == 0


def test_it_is_judged_by_what_held_at_a_date(story: Story):
    times = story.times
    assert verified(story.lab, story.folder)["exit"] == 1
    then = registry_as_of(story.lab.registry, times["renewed"])
    assert ([*then.events("Retracted")], len([*story.lab.registry.events("Retracted")])) == ([], 1)
    answer = verified(story.lab, story.folder, "--as-of", date(times["renewed"]))
    assert (answer["exit"], answer["asOf"], len(answer["renewals"])) == (0, times["renewed"], 1)
    answer = verified(story.lab, story.data, "--as-of", date(times["recorded"]))
    assert (answer["exit"], answer.get("renewals")) == (0, None)
    answer = verified(story.lab, story.data, "--as-of", date(times["before"]))
    assert (answer["exit"], outcome(answer, "recorded")) == (1, ["fail"])
    assert verified(story.lab, story.data, "--as-of", "1999-01-01")["exit"] in (2, 3)
    assert verified(story.lab, story.data, "--as-of", "2090-01-01")["exit"] == 2
    assert verified(story.lab, story.data, "--as-of", "today")["exit"] == 2


def test_a_stranger_finds_it_where_the_record_was_published(story: Story, tmp_path: Path):
    publish(story.lab, story.data, tmp_path / "published")
    rpc = story.lab.devnet.start().url
    stranger = ["--rpc", rpc, "--chain-id", "77787", "--registry", story.lab.registry.address]
    arguments = ["verify", story.data, *stranger, "--from", str(tmp_path / "published")]
    arguments += ["--broken", "sha256:2090-01-01"]
    done = CliRunner().invoke(main, [*arguments, "--home", str(tmp_path / "none"), "--json"])
    assert done.exit_code == 0, done.output
    (file,) = (tmp_path / "published" / "renewals").glob("*.json")
    with serving(partial(Files, directory=tmp_path / "published")) as address:
        arguments[arguments.index("--from") + 1] = address
        found = verified_by(arguments, tmp_path)
        assert (found["exit"], [it["id"] for it in found["renewals"]]) == (0, [story.renewal])
        listed = tmp_path / "published" / renewals_list(story.data)
        assert listed.read_text() == f"{file.stem}\n"
        (other := tmp_path / "other" / "renewals").mkdir(parents=True)
        (other / listed.name).write_text(listed.read_text())
        (other / file.name).write_text("{}")
        with serving(partial(Files, directory=tmp_path / "other")) as second:
            found = verified_by([*arguments, "--from", second], tmp_path)
        assert found["exit"] == 0, "an address takes nothing away that another has"
        listed.write_text(f"{'0' * 64}\n")
        found = verified_by(arguments, tmp_path)
        assert (found["exit"], "renewals" in found) == (1, False), "without its renewal the record does not count"
        listed.write_text("<!doctype html> a page for every name")
        assert verified_by(arguments, tmp_path)["notes"] == []
        listed.write_text(f"{file.stem}\n")
        file.rename(kept := tmp_path / "kept.json")
        (tmp_path / "published" / "renewals" / file.name).write_bytes(b"{" + story.data.encode())
        assert verified_by(arguments, tmp_path)["exit"] == 1, "a damaged renewal that was handed in is a failed check"
        kept.rename(file)
    arguments[arguments.index(address)] = str(tmp_path / "published")
    data = RenewalFile.parse(file.read_bytes(), "it").as_json()
    data["tree"] = data["tree"].replace("object/0", "object/1").replace("object/a", "object/b")
    file.write_bytes(json.dumps(data).encode())
    done = CliRunner().invoke(main, [*arguments, "--home", str(tmp_path / "none"), "--json"])
    assert done.exit_code == 1, "a damaged renewal that was handed in is a failed check"


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def verified_by(arguments: list[str], folder: Path) -> dict[str, Any]:
    done = CliRunner().invoke(main, [*arguments, "--home", str(folder / "none"), "--json"])
    return json.loads(done.stdout.splitlines()[-1]) | {"exit": done.exit_code}


@pytest.fixture(scope="module")
def stamped(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Path]]:
    """A copy of the lab whose renewal an authority (`openssl ts`) has stamped, and what a verifier trusts."""
    folder = tmp_path_factory.mktemp("stamped")
    lab = copy_of(story, folder)
    with authority(folder) as real:
        arguments = ["renew", story.data, "--tsa", real.url, "--allow-local", "--home", str(lab.home.path), "--json"]
        done = CliRunner().invoke(main, arguments)
        told = json.loads(done.output.splitlines()[-1])
        assert (told["receipts"], told["problems"], told["skipped"]) == (1, [], [story.data]), told
        trust = {"authorities": [{"certificate": str(real.root)}]}
        (folder / "trust.json").write_text(json.dumps({**WITNESS_SETTINGS.header(), **trust}))
        yield lab, folder / "trust.json"


def test_an_authority_saves_what_the_chain_cannot(story: Story, stamped: tuple[Lab, Path], tmp_path: Path):
    """The chain breaks with Keccak-256. An authority's stamp rests on SHA-256, and counts for who trusts its root."""
    lab, trust = stamped
    trusting = ["--witness-settings", str(trust)]
    for words, exit_code in (
        (["--broken", "keccak256:2090-01-01", *trusting], 0),
        (["--broken", "keccak256:2090-01-01"], 1),
        (["--broken", "keccak256:2020-01-01", *trusting], 1),
        (["--broken", "keccak256:2090-01-01", "--broken", "sha256:2091-01-01", *trusting], 1),
        (["--broken", "sha256:2090-01-01", *trusting], 0),
    ):
        assert verified(lab, story.data, *words)["exit"] == exit_code, words
    publish(lab, story.data, tmp_path / "published")
    assert len([*(tmp_path / "published" / "witnesses").iterdir()]) == 1
    # a second renewal carries the stamp on: its leaf is the receipt
    ((second,), _) = renew(lab, [story.data], witnesses=partial(receipts_of, lab), again=True)
    (file,) = (it for it in kept_renewals(lab) if it.id == second.record.id)
    assert sum(name.startswith("witness/") for name in file.tree.leaves) == 1
    assert sum(name.startswith("receipt/") for name in file.tree.leaves) == 2


def test_a_bundle_carries_renewals_and_their_stamps(story: Story, stamped: tuple[Lab, Path], tmp_path: Path):
    lab, trust = stamped
    (tmp_path / "data.csv").write_text("x\n1\n")
    ids = [story.data, kept_renewals(lab)[0].id]

    def proven(bundle: Path, *words: str) -> dict[str, Any]:
        shown = [str(tmp_path / "data.csv"), "--network", "devnet", "--home", str(lab.home.path)]
        done = CliRunner().invoke(main, ["verify", "--proof", str(bundle), *shown, *words, "--json"])
        return {**json.loads(done.output.splitlines()[-1]), "exit": done.exit_code}

    for number, those in enumerate((ids[:1], ids)):
        file = tmp_path / f"{number}.proof"
        done = CliRunner().invoke(main, ["export-proof", *those, "-o", str(file), "--home", str(lab.home.path)])
        assert done.exit_code == 0, done.output
        answer = proven(file)
        assert (answer["exit"], "pass" in outcome(answer, "renewal")) == (0, bool(number)), answer
        # of the renewal's own record the second bundle alone tells
        assert proven(file, "--broken", "sha256:2090-01-01")["exit"] == 1 - number
        assert proven(file, "--broken", "keccak256:2090-01-01", "--witness-settings", str(trust))["exit"] == 0
        assert proven(file, "--broken", "keccak256:2090-01-01")["exit"] == 1
    assert (tmp_path / "0.proof").stat().st_size < 25_000
    whole = json.loads((tmp_path / "0.proof").read_bytes())
    for change in ("tree", "key", "other"):
        bundle = json.loads(json.dumps(whole))
        if change == "tree":
            bundle["renewals"][0]["tree"] = bundle["renewals"][0]["tree"].replace("0", "1", 1)
        elif change == "key":
            bundle["renewals"][0]["key"]["group"] += 1
        else:
            (tmp_path / "data.csv").write_text("x\n2\n")
        (tmp_path / "changed.proof").write_bytes(rfc8785.dumps(bundle))
        answer = proven(tmp_path / "changed.proof")
        if change == "key":
            # the stamp is over the roots: what fits them is renewed, and by whom nobody shows
            assert [it["isRecorded"] for it in answer["renewals"] if it["group"] == 2] == [False]
        else:
            assert answer["exit"] == 1, change


def test_an_archive_carries_them_and_a_reader_without_a_chain_follows_them(
    story: Story, stamped: tuple[Lab, Path], tmp_path: Path
):
    lab, trust = stamped
    export_registry(lab, tmp_path / "archive", artifacts=True)
    other = Lab(Home(tmp_path / "imported"))
    import_registry(other, tmp_path / "archive", offline=True)
    for name in ("renewals", "witnesses"):
        here, there = (sorted(it.name for it in (one.home.path / name).glob("*.json")) for one in (lab, other))
        assert here == there
        assert here
    lines = (tmp_path / "archive" / "blocks.jsonl").read_text().splitlines()
    blocks = {int(json.loads(line)["number"]): json.loads(line)["hash"] for line in lines}
    every = [word for block in blocks.values() for word in ("--trust-block", block)]
    first = story.lab.registry.find_record(story.data)
    assert first is not None

    def alone(*words: str) -> int:
        arguments = ["verify", story.data, "--from", str(tmp_path / "archive"), *words, "--json"]
        return CliRunner().invoke(main, arguments, env={"BLOCKCHAINTRACER_HOME": str(tmp_path / "none")}).exit_code

    assert alone(*every) == 0
    assert alone(*every, "--broken", "sha256:2090-01-01") == 0
    assert alone(*every, "--broken", f"sha256:{date(story.times['recorded'])}") == 1
    # the block of the renewal is not one that the reader trusts: nothing says when it was there
    assert alone("--trust-block", blocks[first.block], "--broken", "sha256:2090-01-01") == 1
    keccak = ["--broken", "keccak256:2090-01-01"]
    assert alone(*every, *keccak) == 1
    assert alone(*every, *keccak, "--witness-settings", str(trust)) == 0
    assert alone(*every, "--as-of", date(story.times["recorded"])) == 0
    assert alone(*every, "--as-of", date(story.times["before"])) == 1
