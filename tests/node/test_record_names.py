"""Every way to name a record: its id, the first digits, `@last`, a file, a folder, its name."""

import json
from pathlib import Path

import pytest

from blockchaintracer.core.digest import cid_of_sha256
from blockchaintracer.lab.lab import Lab
from tests.support.labs import typed


@pytest.fixture(scope="module")
def recorded(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Two datasets, the second with a name that the third has, too."""
    folder = tmp_path_factory.mktemp("named")
    ids = []
    for file, name in (("soil.csv", "soil"), ("rain.csv", "twice"), ("snow.csv", "twice")):
        (folder / file).write_text(f"{file}\n1\n")
        done = typed("record", "--dataset", str(folder / file), "--name", name, "--json", home=lab.home.path)
        ids.append(json.loads(done.stdout)["id"])
    return folder, ids


def shown(lab: Lab, *arguments: str) -> str:
    done = typed(*arguments, "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return str(answer["id"] if "id" in answer else answer["records"][0]["id"])


def test_each_way_means_the_same_record(lab: Lab, recorded: tuple[Path, list[str]]) -> None:
    folder, (soil, _, snow) = recorded
    ways = [
        soil,
        soil.removeprefix("0x"),
        soil[:10],
        soil[:10].upper().replace("0X", "0x"),
        soil[2:12],
        f"{soil[:12]}…",
        "soil",
    ]
    ways += [str(folder / "soil.csv"), lab.domain.global_id(soil)]
    record = lab.registry.find_record(soil)
    ways += [
        f"https://lab.example/published/proofs/{soil}.json",
        f"https://lab.example/report-{soil[:12]}/report.html#checks",
        f"https://explorer.example/tx/{record.transaction}",
        f"http://127.0.0.1:9/objects/{record.manifest[:2]}/{record.manifest[2:]}",
        f"ipfs://{cid_of_sha256(record.manifest)}",
        f"https://{cid_of_sha256(record.subject)}.ipfs.gateway.example/?download=true",
    ]
    assert {shown(lab, "status", way) for way in ways} == {soil}
    assert shown(lab, "status", "@last") == snow
    assert {shown(lab, "verify", way) for way in ways} == {soil}
    told = typed("lineage", "soil", home=lab.home.path)
    assert told.returncode == 0
    assert f"soil is {soil}: " in told.stderr
    assert f"group 1, author {lab.signer.address}" in told.stderr


def test_last_is_the_run_and_not_the_model_that_it_wrote(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_text("weights")
    asked = ("--model", str(tmp_path / "model.bin"), "--param", "lr=0.1")
    answer = json.loads(typed("record", *asked, "--json", home=lab.home.path).stdout)
    assert [it["kind"] for it in answer["records"]] == ["model", "run"]
    assert shown(lab, "status", "@last") == answer["id"] == answer["records"][1]["id"]
    assert "Other verbs take @last for this run." in typed("record", *asked, home=lab.home.path).stdout
    (tmp_path / "other.bin").write_text("weights of nobody's run")
    alone = typed("record", "--model", str(tmp_path / "other.bin"), "--json", home=lab.home.path)
    assert shown(lab, "status", "@last") == json.loads(alone.stdout)["id"]


def test_several_matches_are_listed(lab: Lab, recorded: tuple[Path, list[str]]) -> None:
    _, (_, rain, snow) = recorded
    done = typed("status", "twice", home=lab.home.path)
    assert done.returncode == 2
    assert "names 2 records" in done.stderr
    assert all(one in done.stderr for one in (rain, snow))


def test_what_is_known_nowhere_is_told(lab: Lab) -> None:
    for text in ("nowhere", "0xffffffff", "1234567", "0x12", f"https://lab.example/tx/0x{64 * 'a'}"):
        done = typed("status", text, home=lab.home.path)
        assert (done.returncode, f"no record is known here as {text!r}" in done.stderr) == (2, True)
        assert ("an id are 8 or more" in done.stderr) is (text == "0x12")


def test_a_verb_that_signs_shows_what_was_found_and_asks(lab: Lab, recorded: tuple[Path, list[str]]) -> None:
    folder, (soil, *_) = recorded
    refused = typed("attest", "soil", "reviewed", home=lab.home.path)
    assert (refused.returncode, soil in refused.stderr, "Nothing was signed" in refused.stderr) == (2, True, True)
    (folder / "after.csv").write_text("after\n")
    given = ("record", "--dataset", str(folder / "after.csv"), "--parent", "soil:derived-from")
    assert typed(*given, home=lab.home.path).returncode == 2
    done = typed(*given, "--yes", "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert f"{soil[:12]}…" in typed("lineage", "@last", home=lab.home.path).stdout


def test_a_shell_completes_ids_and_names(lab: Lab, recorded: tuple[Path, list[str]]) -> None:
    _, (soil, *_) = recorded
    assert typed("query", home=lab.home.path).returncode == 0
    for begun, whole in ((soil[:6], soil), ("so", "soil")):
        words = {"COMP_WORDS": f"blockchaintracer verify --record {begun}", "COMP_CWORD": "3"}
        done = typed(home=lab.home.path, _BLOCKCHAINTRACER_COMPLETE="bash_complete", **words)
        assert f"plain,{whole}" in done.stdout.split()
