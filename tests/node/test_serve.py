"""`serve` on a real chain: what is published is shown, what only the lab has never; it follows the chain and ends."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from blockchaintracer.core.record import Kind, Verdict
from blockchaintracer.core.record_key_file import KeyFile
from blockchaintracer.extras.search import Index
from blockchaintracer.extras.serve.follower import Follower
from blockchaintracer.extras.serve.published import PublishedFolder
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from tests.support.json_forms import problems, snake_names
from tests.support.labs import GONE, ROOT, again, holding, second_lab, shared_lab, typed

SHOWN, HIDDEN = "strain of the published run", "strain of the hidden run"


@dataclass
class Story:
    lab: Lab
    folder: Path
    published: str
    hidden: str
    batched: str
    digests: dict[str, str]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A published dataset, reviewed and retracted; one that only the lab has; and a published one in a batch only."""
    here = tmp_path_factory.mktemp("files")
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        made = {}
        for name in (SHOWN, HIDDEN, "batched"):
            (here / name).write_text(name)
            if name == "batched":
                with batching(lab):
                    made[name] = record_content(lab, Kind.DATASET, here / name, name=name)
                anchor(lab)
            else:
                made[name] = record_content(lab, Kind.DATASET, here / name, name=name)
        attest(second_lab(lab, tmp_path_factory.mktemp("second")), made[SHOWN].id, Verdict.REVIEWED)
        retract(lab, made[SHOWN].id, "a sensor was broken")
        folder = here / "published"
        for name in (SHOWN, "batched"):
            publish(lab, made[name].id, folder)
        digests = {name: record.subject for name, record in made.items()}
        yield Story(lab, folder, made[SHOWN].id, made[HIDDEN].id, made["batched"].id, digests)


def typed_from_page(address: str, folder: Path) -> list[str]:
    """What the examples of docs/serve.md print, typed in a folder against this server."""
    page = (ROOT / "docs" / "serve.md").read_text().replace("http://127.0.0.1:8710", address)
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    commands = [[sys.executable, "-c", program], *map(shlex.split, re.findall(r"^curl .+", page, re.M))]
    more: dict[str, Any] = {"cwd": folder, "capture_output": True, "text": True, "check": True, "timeout": 30}
    return [subprocess.run(command, **more).stdout for command in commands]  # noqa: PLW1510


@contextmanager
def serving(
    lab: Lab, *options: str, is_json: bool = True
) -> Iterator[tuple[Callable[[str], Any], subprocess.Popen[str]]]:
    """The verb in a process of its own; yields what asks it."""
    command = [sys.executable, "-m", "blockchaintracer", "serve", "--port", "0", "--every", "1", *options]
    command += ["--json"] if is_json else []
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(lab.home.path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        banner = line.rpartition(" at ")[2].strip().removesuffix("/v1/registry")
        address = json.loads(line)["listening"] if is_json else banner
        with requests.Session() as session:
            yield lambda path: session.get(f"{address}/v1/{path}", timeout=10), process
    finally:
        process.kill()
        process.communicate()


def until(ask: Callable[[], Any], seconds: float = 20) -> Any:
    """Ask again until the answer is true."""
    ends = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < ends:
        time.sleep(0.1)
    return answer


def test_what_is_published_is_shown_and_nothing_else(story: Story) -> None:
    lab = story.lab
    with serving(lab, "--folder", str(story.folder)) as (ask, process):
        assert until(lambda: ask("health").json().get("status") == "ok")
        rows = {row["id"]: row for row in ask("records").json()["records"]}
        assert rows.keys() == {story.published, story.hidden}
        shown, hidden = rows[story.published], rows[story.hidden]
        assert (shown["name"], shown["hasManifest"], shown["reviewed"], shown["status"]) == (
            SHOWN,
            True,
            1,
            "retracted",
        )
        assert (hidden["name"], hidden["hasManifest"], hidden["subject"]) == (None, False, story.digests[HIDDEN])

        record = ask(f"records/{story.published}").json()
        assert {SHOWN, "manifest"} <= {file["name"] for file in record["published"]}
        assert (record["verdicts"][0]["verdict"], record["proof"]) == ("reviewed", True)
        assert record["retraction"]["account"].lower() == lab.signer.address.lower()
        assert KeyFile.parse(ask(f"records/{story.published}/proof").content, "it").id == story.published
        manifest = ask(f"manifests/{shown['manifest']}")
        assert manifest.content == lab.store.get_bytes(shown["manifest"])
        assert manifest.headers["etag"] == f'"{shown["manifest"]}"'
        assert ask(f"records/{story.hidden}").json()["published"] == []
        assert ask(f"manifests/{hidden['manifest']}").status_code == 404

        # a file of a batch is told with its proof, and no other
        file = ask(f"files/{story.digests['batched']}").json()
        assert (file["records"], [each["id"] for each in file["batched"]]) == ([], [story.batched])
        assert ask(f"records/{story.batched}").status_code == 404
        assert "/proof" in ask(f"records/{story.batched}").json()["hint"]
        assert ask(f"records/{story.batched}/proof").status_code == 200

        (story.folder.parent / "data.csv").write_text(SHOWN)
        address = ask("health").url.removesuffix("/v1/health")
        printed, runs, strain = typed_from_page(address, story.folder.parent)
        assert f"{story.published} retracted group 1 by {lab.signer.address.lower()}" in printed
        assert printed.endswith("complete: True\n")
        assert json.loads(runs)["records"] == []
        assert [row["id"] for row in json.loads(strain)["records"]] == [story.published]

        registry = ask("registry").json()
        assert (registry["registry"], registry["owner"]) == (lab.registry.address, lab.signer.address)
        paths = ["groups", "records", "records?text=strain", "records?text=hidden", f"records/{story.hidden}/lineage"]
        paths += [f"records/{story.hidden}", f"files/{story.digests[HIDDEN]}", "registry", "health"]
        answers = [ask(path) for path in paths]
        assert [answer.status_code for answer in answers] == [200] * len(paths)
        for answer in answers:
            assert HIDDEN not in answer.text
            assert not [*snake_names(answer.json()), *problems(answer.json())]
        assert [row["id"] for row in answers[2].json()["records"]] == [story.published]
        assert answers[3].json()["records"] == []
        # not even in the file from which it is served
        assert holding(lab.home.served, SHOWN.encode())
        assert not holding(lab.home.served, HIDDEN.encode())

        # a page stays what it is while others record
        first = ask("records?limit=1").json()
        (story.folder.parent / "new").write_text("new")
        new = record_content(lab, Kind.DATASET, story.folder.parent / "new", name="new").id
        assert until(lambda: ask("records?limit=1").json()["records"][0]["id"] == new)
        assert ask(f"records?limit=1&after={first['next']}").json()["records"][0]["id"] == story.published
        # and what is published meanwhile is shown
        assert ask(f"records/{new}").json()["record"]["name"] is None
        publish(lab, new, story.folder)
        assert until(lambda: ask(f"records/{new}").json()["record"]["name"] == "new")

        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, json.loads(out)) == (0, {"stopped": True})
        assert "GET /v1/records 200 " in err
        assert "Traceback" not in err
        assert "strain" not in err


def test_without_a_folder_only_the_chain_is_shown_and_withdrawn_manifests_go(story: Story, tmp_path: Path) -> None:
    lab = story.lab
    with serving(lab) as (ask, _):
        assert until(lambda: ask("health").json().get("status") == "ok")
        assert ask(f"records/{story.published}").json()["record"]["name"] is None
        assert ask("groups").json()["groups"][0]["name"] is None
    folder = tmp_path / "published"
    publish(lab, story.published, folder)
    with serving(lab, "--folder", str(folder)) as (ask, _):
        assert until(lambda: ask(f"records/{story.published}").json().get("record", {}).get("name") == SHOWN)
        manifest = ask(f"records/{story.published}").json()["record"]["manifest"]
    Path(folder, "objects", manifest[:2], manifest[2:]).unlink()
    with serving(lab, "--folder", str(folder)) as (ask, _):
        assert until(lambda: ask("health").json().get("status") == "ok")
        assert ask(f"records/{story.published}").json()["record"]["name"] is None
        assert ask("records?text=strain").json()["records"] == []


def test_a_node_that_does_not_answer_is_told_with_the_time(story: Story, tmp_path: Path) -> None:
    told: list[str] = []
    path = story.lab.home.served / "followed.sqlite"
    published = PublishedFolder(None, tmp_path / "nothing")
    follower = Follower(again(story.lab), lambda: Index(path), published, 1, told.append)
    follower.follow()
    state = follower.state
    assert (state.has_followed, state.silent_since, state.generation > 0) == (True, None, True)
    follower.follow()
    assert follower.state == state
    create_group(story.lab, "one more")
    follower.follow()
    assert follower.state.generation > state.generation

    follower.lab = Lab(story.lab.home, rpc=GONE[0])
    before = int(time.time())
    follower.follow()
    follower.follow()
    assert follower.state.silent_since is not None
    assert follower.state.silent_since >= before
    assert follower.state.has_followed
    follower.lab = again(story.lab)
    follower.follow()
    assert follower.state.silent_since is None
    assert [line.partition(":")[0] for line in told] == [
        "The chain can't be followed; what is known is served on",
        "The node answers again.",
    ]


def test_what_can_not_be_served_is_refused(story: Story, tmp_path: Path) -> None:
    home = story.lab.home.path
    done = typed("serve", "--folder", str(tmp_path / "none"), "--port", "0", home=home)
    assert (done.returncode, "expected a published folder" in done.stderr) == (2, True)
    done = typed("serve", "--folder", str(home / "store"), "--port", "0", home=home)
    assert (done.returncode, "the lab's own" in done.stderr) == (2, True)
    with serving(story.lab, is_json=False) as (ask, _):
        # the address that the verb names
        assert until(lambda: ask("registry").status_code == 200)
        port = ask("health").url.rpartition(":")[2].partition("/")[0]
        done = typed("serve", "--port", port, home=home)
        assert (done.returncode, "expected an address to listen at" in done.stderr) == (2, True)
