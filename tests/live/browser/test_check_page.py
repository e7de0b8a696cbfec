"""The page that verifies, used in a browser as an outsider does who got a folder: page, proof and data."""

from __future__ import annotations

import json
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import uvicorn

from benchmarks.index import fill
from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.manifest import Artifact, Manifest, Metric, RunPredicate
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.search import Index
from blockchaintracer.extras.serve.server import settings
from blockchaintracer.lab.published_pages import PAGE
from tests.findings.test_reports_of_hostile_records import HOSTILE
from tests.live.browser.chromium import drive
from tests.support.forged_bundles import Forged, blocks_of
from tests.support.labs import ROOT
from tests.support.memory_node import MODES, Answer, RpcError, answering, forgetful
from tests.support.registry_life import Life, live
from tests.support.served import Served

PHONE, DESKTOP = 320, 1280
AUDITED = (
    "start",
    "trusted",
    "changed",
    "retracted",
    "another file",
    "two nodes",
    "runs",
    "lineage",
    "folder",
    "server",
)
SPARSE = 1 << 30
"""Bytes of a file that is large enough to show that memory stays flat."""
OF_ZEROS = "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the Chromium of npm is for Linux on x86-64"
)


@dataclass(frozen=True)
class Seen:
    """What a visit showed, and what the page tried.

    Args:
        overflowing: widths in pixels at which the page is wider than the window.
        faults: what axe found for who uses a keyboard or a screen reader.
        memory: bytes of the page's heap at the end.
        drawings: the names of what is drawn.
        stored: what the browser keeps of the page.
    """

    text: str
    badge: str
    messages: list[str]
    overflowing: list[int]
    faults: list[str]
    memory: int
    seconds: float
    asked: list[str]
    address: str
    drawings: list[str]
    stored: str

    def outcome(self) -> str:
        """The first heading after what was chosen."""
        known = ("Not verified", "Verified", "It fits together", "It can't be decided", "damaged or forged")
        return min((it for it in known if it in self.text), key=self.text.index, default="nothing")


@dataclass
class Nodes:
    """Nodes on loopback that a page may ask, and files that lie there."""

    port: int
    answers: dict[str, Answer]
    files: dict[str, bytes]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    answers: dict[str, Answer] = {}
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_OPTIONS(self) -> None:
            self._send(204, b"")

        def do_GET(self) -> None:
            file = files.get(self.path[1:])
            self._send(404 if file is None else 200, file or b"")

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply: dict[str, Any] = {"jsonrpc": "2.0", "id": question["id"]}
            try:
                reply["result"] = answers[self.path[1:]](question["method"], question.get("params") or [])
            except RpcError as error:
                reply["error"] = error.error
            self._send(200, json.dumps(reply).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            for name, value in (("Origin", "*"), ("Headers", "content-type"), ("Methods", "POST")):
                self.send_header(f"Access-Control-Allow-{name}", value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Nodes(server.server_port, answers, files)
        server.shutdown()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live(tmp_path_factory.mktemp("life"))


def hostile_proof() -> bytes:
    """A proof whose manifest holds every attack of the reports' tests."""

    def of_manifest(plain: Any) -> Any:
        predicate = plain["predicate"] | {"name": HOSTILE[0], "description": "\n".join(HOSTILE)}
        subject = [plain["subject"][0] | {"name": HOSTILE[0]}]
        return plain | {"predicate": predicate, "subject": subject}

    return Forged(of_manifest=of_manifest).data()


def of_a_document(plain: Any) -> Any:
    """A manifest whose author names a block of a time that no calendar has."""
    block = {"chainId": "1", "blockNumber": "7", "blockHash": "0x" + "55" * 32, "timestamp": "9" * 30}
    predicate = {"name": "early", "subjectType": "commitment", "values": {}, "attachments": [], "parents": []}
    document = {"predicate": predicate | {"notBefore": block}, "subject": [plain["subject"][0] | {"name": "early"}]}
    return plain | document | {"predicateType": "urn:blockchaintracer:predicate:document:v1"}


def history_of(number: int) -> bytes:
    """Values of ten steps, as the tracer writes them."""
    return json.dumps([{"step": step, "value": number / (step + 1), "time": step} for step in range(10)]).encode()


def run_of(number: int, history: bytes) -> bytes:
    """A proof of a run with two metrics, of which one has a history."""
    run_id = f"0c4cd0d6-6b6c-4d5a-8d3c-{number:012}"
    metrics = {
        "loss": Metric(value=0.1 * number, history=Artifact.of("metrics/0.json", digest_bytes(history))),
        "accuracy": Metric(value=0.9 + number / 100),
    }
    manifest = RunPredicate(run_id=run_id, name=f"run {number}", status="completed", metrics=metrics)

    def of_manifest(plain: Any) -> Any:
        return json.loads(Manifest.of(Kind.RUN, manifest).to_bytes())

    return Forged(of_manifest=of_manifest, kind=Kind.RUN, identifier=run_id).data()


@contextmanager
def serving(served: Served) -> Iterator[str]:
    """Inside, `serve` answers at an address on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(settings(served.app))
    thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    running.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of `serve` over made-up records, on loopback."""
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    with Index(path) as index:
        fill(index, 60)
    with serving(Served(path)) as address:
        yield address


@pytest.fixture(scope="module")
def seen(life: Life, nodes: Nodes, server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    folder = tmp_path_factory.mktemp("visits")
    honest = Forged().data()
    changed = bytearray(honest)
    changed[500] ^= 1
    retracted = Forged(word=1_438_270_006 << 40).data()
    early = Forged(of_manifest=of_a_document, kind=Kind.DOCUMENT).data()
    files = {
        "good.proof": honest,
        "changed.proof": bytes(changed),
        "retracted.proof": retracted,
        "hostile.proof": hostile_proof(),
        "early.proof": early,
        "other.csv": b"1,2\n",
    }
    histories = {f"run {number}.json": history_of(number) for number in (1, 2)}
    files |= histories | {f"run {number}.proof": run_of(number, histories[f"run {number}.json"]) for number in (1, 2)}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with (folder / "large.bin").open("wb") as file:
        file.truncate(SPARSE)
    data = life.files["data"]
    registry, chain = life.lab.domain.registry, str(life.node.chain.chain_id)

    def denies(method: str, params: list[Any]) -> Any:
        if method == "eth_call" and any(it[2:] in str(params) for it in life.ids.values()):
            found = life.node.answer(method, params)
            return found[:2] + "0" * (len(found) - 2)
        return [] if method == "eth_getLogs" else life.node.answer(method, params)

    nodes.files.update((name, (life.published / name).read_bytes()) for name in ("index.html", "records.html"))
    nodes.answers |= {"full": life.node.answer, "lying": denies}
    nodes.answers |= {f"pruned-{mode}": forgetful(life.node, mode, life.node.head) for mode in MODES}

    def refuses(method: str, params: list[Any]) -> Any:
        raise RpcError(-32000, "no answer")

    with answering(full=life.node.answer):
        retracted_at = life.lab.registry.status(life.ids["wrong"]).retracted_at

    def forgives(method: str, params: list[Any]) -> Any:
        found = life.node.answer(method, params)
        return found.replace(f"{retracted_at:064x}", "0" * 64) if method == "eth_call" else found

    def writes_two(method: str, params: list[Any]) -> Any:
        """A simulator of a node with a transaction that wrote two records, as `recordMany` does."""
        found = life.node.answer(method, params)
        if method == "eth_getTransactionReceipt":
            [log] = found["logs"]
            found = found | {"logs": [log, log | {"topics": [log["topics"][0], life.ids["model"], *log["topics"][2:]]}]}
        return found

    nodes.answers |= {"silent": refuses, "forgiving": forgives, "many": writes_two}

    def asks(target: str, *names: str) -> dict[str, Any]:
        chosen = {"network": "other", "chain": chain, "registry": registry, "node": nodes.url(names[0])}
        if len(names) > 1:
            chosen["other"] = nodes.url(names[1])
        return {"fields": chosen, "paste": target, "expects": "What this does not prove"}

    visits: dict[str, dict[str, Any]] = {
        "start": {"expects": "Check a record"},
        "good": {"files": ["good.proof"], "expects": "It fits together"},
        "trusted": {"files": ["good.proof"], "fields": {"block": " ".join(blocks_of(honest))}, "press": True,
                    "expects": "Every check passed"},
        "changed": {"files": ["changed.proof"], "expects": "damaged or forged"},
        "retracted": {"files": ["retracted.proof"], "fields": {"block": " ".join(blocks_of(retracted))},
                      "press": True, "expects": "Retracted on", "dark": True, "badge": True},
        "hostile": {"files": ["hostile.proof"], "expects": "It fits together"},
        "early": {"files": ["early.proof"], "fields": {"block": " ".join(blocks_of(early))}, "press": True,
                  "expects": "Every check passed", "badge": True},
        "another file": {"files": ["good.proof", "other.csv"], "expects": "other.csv is not"},
        "silent": {"files": ["good.proof"], "press": True, "expects": "Its life",
                   "fields": {"network": "1", "node": nodes.url("silent")}},
        "large": {"files": ["large.bin"], "expects": OF_ZEROS},
        "by a node": asks(life.ids["data"], "full"),
        "by its transaction": asks(life.transactions["data"], "full"),
        "by a transaction of many": {**asks(life.transactions["data"], "many"), "expects": "This transaction wrote"},
        "by its file": {k: v for k, v in asks("", "full").items() if k != "paste"} | {"files": [str(data)]},
        "retracted by a node": {**asks(life.ids["wrong"], "full"), "expects": "Its life"},
        "rests on it": asks(life.ids["child"], "full"),
        "two nodes": asks(life.ids["data"], "full", "lying"),
        "one forgives": asks(life.ids["wrong"], "forgiving", "full"),
        "a link": {"fragment": f"#id={life.ids['data']}&chain={chain}&registry={registry}&node={nodes.url('full')}",
                   "expects": "Check a record"},
        "runs": {"files": [*histories, "run 1.proof", "run 2.proof"], "expects": "loss, step by step"},
        "one run": {"files": ["run 1.proof"], "expects": "Its life"},
        "lineage": {**asks(life.ids["model"], "full"), "folder": str(life.published),
                    "expects": "Where it came from, and what stands on it"},
        "stands on a mistake": {**asks(life.ids["child"], "full"), "expects": "Where it came from"},
        "sealed": {**asks(life.ids["sealed"], "full"), "expects": "This account made 1 seal"},
        "folder": {"folder": str(life.published), "expects": "Latest records"},
        "registry": {**asks("", "full"), "press": True, "expects": "Latest records"},
        "server": {"fields": {"server": server}, "then": [
            {"click": "text=Show its records", "expects": "Show more"},
            {"fill": {"words": "no such words"}, "click": "#home [type=submit]", "expects": "No record was found."}]},
        "beside": {"address": nodes.url("index.html"), "then": [
            {"click": "text=Show what is published beside", "expects": "the list beside this page"},
            {"click": "#home button.link >> nth=0", "expects": "A link or a list proposed"}]},
        "kept": {**asks(life.ids["data"], "full"), "then": [
            {"click": "#keep"}, {"click": "button.main", "expects": "What this does not prove"}]},
        "a link, and a proof": {
            "fragment": f"#chain=1&block={blocks_of(honest)[0]},{blocks_of(honest)[1]}&node={nodes.url('full')}",
            "files": ["good.proof"],
            "expects": "It fits together",
        },
        "a link, pressed": {
            "fragment": f"#id={life.ids['data']}&chain={chain}&registry={registry}",
            "fields": {"node": nodes.url("full")},
            "press": True,
            "expects": "What this does not prove",
        },
        **{f"pruned {mode}": asks(life.ids["data"], f"pruned-{mode}") for mode in MODES},
    }  # fmt: skip
    for visit in visits.values():
        if names := visit.get("files"):
            visit["files"] = [str(folder / name) for name in names]
        visit["widths"] = [PHONE, DESKTOP]
    for name in AUDITED:
        visits[name]["audit"] = True
    asked = {"page": PAGE.as_uri(), "visits": [*visits.values()]}
    told = drive("visit.mjs", asked, folder)
    return {name: Seen(**each) for name, each in zip(visits, told, strict=True)}


def test_each_case_is_called_what_it_is(seen: dict[str, Seen]) -> None:
    assert {name: it.outcome() for name, it in seen.items()} == {
        "start": "nothing",
        "good": "It fits together",
        "trusted": "Verified",
        "changed": "damaged or forged",
        "retracted": "Verified",
        "hostile": "It fits together",
        "early": "Verified",
        "another file": "Not verified",
        "silent": "It can't be decided",
        "large": "nothing",
        "by a node": "Verified",
        "by its file": "Verified",
        "by its transaction": "Verified",
        "by a transaction of many": "nothing",
        "retracted by a node": "Not verified",
        "rests on it": "Not verified",
        "two nodes": "Verified",
        "one forgives": "Verified",
        "a link": "nothing",
        "a link, and a proof": "It fits together",
        "a link, pressed": "Verified",
        "runs": "It fits together",
        "one run": "It fits together",
        "lineage": "Verified",
        "stands on a mistake": "Not verified",
        "sealed": "Verified",
        "folder": "nothing",
        "registry": "nothing",
        "server": "nothing",
        "beside": "nothing",
        "kept": "Verified",
        **{f"pruned {mode}": "It can't be decided" for mode in MODES},
    }


def test_a_retraction_stands_above_everything(seen: dict[str, Seen]) -> None:
    for name in ("retracted", "retracted by a node"):
        text = seen[name].text
        assert text.index("Retracted on 20") < min(text.index(it) for it in ("erified", "In plain words"))
    assert "It rests on a record that was retracted." in seen["rests on it"].text


def test_a_badge_says_what_stands_above_everything(seen: dict[str, Seen]) -> None:
    assert "retracted on " in seen["retracted"].badge
    assert "verified" not in seen["retracted"].badge
    assert "verified on " in seen["early"].badge


def test_an_earliest_time_is_the_word_of_its_author(seen: dict[str, Seen]) -> None:
    """Also one of a year that no calendar has: the page ended at it, and showed no outcome."""
    assert "after the year 9999, as older than it. That is the author's word" in seen["early"].text
    assert "between" not in seen["early"].text.split("In plain words")[1].split("What it came from")[0]


def test_a_transaction_leads_to_what_it_wrote(seen: dict[str, Seen], life: Life) -> None:
    transaction = life.transactions["data"]
    assert f"Transaction {transaction} wrote record {life.ids['data']}" in seen["by its transaction"].text
    many = seen["by a transaction of many"].text
    assert "This transaction wrote 2 records: choose one" in many
    assert life.ids["data"] in many
    assert life.ids["model"] in many


def test_a_file_is_not_believed_before_its_blocks_stand(seen: dict[str, Seen]) -> None:
    word = "It is the word of whoever made it"
    assert {name for name in ("good", "another file", "silent", "trusted", "by a node") if word in seen[name].text} == {
        *("good", "another file", "silent")
    }
    assert "Times are the chain's" in seen["retracted by a node"].text
    assert "Times are the chain's" not in seen["silent"].text


def test_two_nodes_that_differ_are_told_apart(seen: dict[str, Seen]) -> None:
    for name in ("two nodes", "one forgives"):
        assert "The two nodes do not say the same." in seen[name].text
    assert "Was it retracted?\nYes, on 2" in seen["one forgives"].text


def test_nothing_is_asked_that_nobody_wanted(seen: dict[str, Seen], nodes: Nodes, server: str) -> None:
    for name, it in seen.items():
        wanted = name in ("by a node", "by its file", "retracted by a node", "rests on it", "two nodes", "one forgives")
        wanted = wanted or name in ("lineage", "stands on a mistake", "sealed", "registry", "server", "beside", "kept")
        wanted = wanted or name.startswith(("pruned", "by ")) or name in ("a link, pressed", "silent")
        assert bool(it.asked) == wanted, name
        assert all(address.startswith((nodes.url(""), server)) for address in it.asked)


def test_what_a_link_proposes_is_shown_and_not_used(seen: dict[str, Seen]) -> None:
    for name in ("a link", "a link, and a proof"):
        assert "A link or a list proposed what stands here" in seen[name].text
    assert "A link or a list proposed" not in seen["a link, pressed"].text + seen["by a node"].text


def test_no_link_holds_a_node(seen: dict[str, Seen], nodes: Nodes) -> None:
    """An address of a node can have a key in it, and a link is handed on."""
    asked = [it for name, it in seen.items() if it.asked and name != "beside"]
    assert asked
    for it in asked:
        assert str(nodes.port) not in it.address
        assert "node" not in it.address


def test_a_lineage_is_drawn_and_listed(seen: dict[str, Seen]) -> None:
    text = seen["lineage"].text
    lines = text[text.index("The same as a list") :].splitlines()
    for name, place in (("data", "came before"), ("again", "came after"), ("late", "came after")):
        assert any(line.startswith(name) and place in line for line in lines), name
    assert "Lineage of 4 records. The list below has the same." in seen["lineage"].drawings
    mistake = seen["stands on a mistake"].text.split("Where it came from, and")[1]
    assert "retracted" in mistake
    assert "stands on a retracted record" in mistake


def test_a_life_tells_each_time(seen: dict[str, Seen]) -> None:
    life = seen["lineage"].text.split("Its life")[1]
    assert life.index("Recorded") < life.index("Group 2 reproduced it")
    sealed = seen["sealed"].text.split("Its life")[1]
    assert sealed.index("Sealed: its author committed") < sealed.index("Recorded")
    assert "This account made 1 seal for this group, and showed all of them." in sealed
    assert "Retracted" in seen["retracted by a node"].text.split("Its life")[1]


def test_runs_are_compared_in_numbers_and_drawings(seen: dict[str, Seen]) -> None:
    text = seen["runs"].text
    assert "A: run 1" in text
    assert "B: run 2" in text
    assert "loss\t0.1\t0.2\t0.1" in text
    assert "A: run 1\t10\t1\t0.1\t0.1\t1" in text
    assert {"loss, step by step", "loss, by record"} <= set(seen["runs"].drawings)
    assert "Metrics, compared" not in seen["one run"].text


def test_a_registry_is_looked_through(seen: dict[str, Seen]) -> None:
    assert "By the node's events" in seen["registry"].text
    assert "retracted" in seen["registry"].text.split("Latest records")[1]
    assert "late\tmodel\t1\t\N{EN DASH}\tnot checked here" in seen["folder"].text
    assert "By the server's word" in seen["server"].text
    assert "No record was found." in seen["server"].text


def test_the_example_asks_the_server(server: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples/serve/ask.py", server], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *records, last = done.stdout.splitlines()
    assert records
    assert all(line.startswith("0x") and " run " in line for line in records)
    assert last.startswith("This is the server's word.")


def test_a_node_is_kept_if_its_visitor_says_so(seen: dict[str, Seen], nodes: Nodes) -> None:
    assert nodes.url("full") in seen["kept"].stored
    assert not [name for name, it in seen.items() if it.stored and name != "kept"]


def test_nothing_of_a_stranger_runs(seen: dict[str, Seen]) -> None:
    for name, it in seen.items():
        assert it.messages == [], name
        assert it.address.startswith((PAGE.as_uri(), "http://127.0.0.1:"))
    assert "<img" in seen["hostile"].text or "<script" in seen["hostile"].text


def test_everybody_can_use_it(seen: dict[str, Seen]) -> None:
    for name, it in seen.items():
        assert it.faults == [], name
        assert it.overflowing == [], name
    assert not [name for name in AUDITED if name not in seen]


def test_a_large_file_is_hashed_in_flat_memory(seen: dict[str, Seen]) -> None:
    assert seen["large"].memory < 64 << 20


def test_what_is_shipped_is_what_the_sources_give() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "web.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
