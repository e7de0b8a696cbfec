"""The page hid the retraction of a record whose old block a node had forgotten, chose what a link proposed when a list
was asked for, told a forged life as the chain's, and asked a server about what was only opened."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from eth_abi import encode
from eth_utils import keccak

from blockchaintracer.core.chain.known_code import registry_code
from blockchaintracer.core.record import Domain, Kind, Link, RecordKey, Relation, SubjectType
from blockchaintracer.lab.kept_identities import IdentityEvidence, holder_name
from blockchaintracer.lab.published_pages import PAGE
from tests.live.browser.chromium import drive
from tests.live.browser.test_check_page import Nodes, nodes, run_of  # noqa: F401
from tests.support.bundle_evidence import AUTHOR as MEMBER
from tests.support.bundle_evidence import claim
from tests.support.forged_bundles import AUTHOR, RECORDED, RECORDED_DATA, TIME, Forged, blocks_of
from tests.support.memory_node import Answer

from .test_the_page_says_what_it_checked import RETRACTED, lines_of, pytestmark  # noqa: F401

HEAD, NUMBER = 20_000_000, 18_000_000
STATUS = "(uint32,uint8,uint8,uint8,uint40,uint40,uint40,uint24,uint24,uint24,uint24)"


def simulated(bundle: dict[str, Any], *, has_blocks: bool, retracted_at: int, children: list[RecordKey]) -> Answer:
    """A simulator of a node of a chain that holds an invented bundle, as no real chain does."""
    domain = Domain(1, bundle["registry"])
    blocks = {NUMBER + at: name for at, name in enumerate(blocks_of(json.dumps(bundle).encode()))} if has_blocks else {}
    kinds = {domain.record_id(key): key.kind for key in children}

    def status(record: str) -> tuple[int, ...]:
        when = 0 if record in kinds else retracted_at
        return (9 if record in kinds else 7, kinds.get(record, 1), 2 if when else 1, 0, TIME, when, *5 * [0])

    def log(key: RecordKey) -> dict[str, Any]:
        _, author, subject_type, subject, kind, manifest, parents = key.as_abi()
        data = encode(RECORDED_DATA, (key.group, author, subject_type, kind, manifest, parents))
        topics = ["0x" + keccak(text=RECORDED).hex(), domain.record_id(key), "0x" + subject.hex()]
        place = {"blockNumber": hex(NUMBER), "logIndex": "0x0", "transactionHash": "0x" + "22" * 32}
        return {"address": bundle["registry"], "topics": topics, "data": "0x" + data.hex()} | place

    def answer(method: str, params: list[Any]) -> Any:
        if method == "eth_chainId":
            return "0x1"
        if method == "eth_getCode":
            return "0x" + registry_code(1, bundle["registry"], True).hex()
        if method == "eth_getBlockByNumber":
            number = HEAD if params[0] in ("latest", "finalized") else int(params[0], 16)
            name = "0x" + "11" * 32 if number == HEAD else blocks.get(number)
            at = int(time.time()) if number == HEAD else TIME
            return name and {"hash": name, "number": hex(number), "timestamp": hex(at)}
        if method == "eth_getLogs":
            asked = params[0]["topics"]
            wants_all = len(asked) == 1 and "0x" + keccak(text=RECORDED).hex() in asked[0]
            return [log(key) for key in children] if wants_all else []
        if method == "eth_call":
            data = bytes.fromhex(params[0]["data"][2:])
            words = ["0x" + data[at : at + 32].hex() for at in range(4, len(data), 32)]
            if data[:4] == keccak(text="statusOf(bytes32)")[:4]:
                return "0x" + encode([STATUS], [status(words[0])]).hex()
            if data[:4] == keccak(text="statusOfRecords(bytes32[])")[:4]:
                return "0x" + encode([STATUS + "[]"], [[status(word) for word in words[2:]]]).hex()
        return None

    return answer


def dense(domain: Domain, record: str, count: int, links: int) -> Iterator[bytes]:
    """Key files of records that nobody stored, each with as many links as it can have."""
    ids = [record]
    for number in range(count):
        each = min(links // len(ids), 120)
        parents = tuple(Link(parent, 128 + at) for parent in sorted(ids) for at in range(each))
        key = RecordKey(
            7, AUTHOR, SubjectType.COMMITMENT, f"{number + 77:064x}", Kind.DATASET, "0" * 64, parents=parents
        )
        ids.append(domain.record_id(key))
        place = {"chainId": "1", "registry": domain.registry, "key": key.as_json()}
        yield json.dumps({"type": "urn:blockchaintracer:record-key:v1"} | place).encode()


@pytest.fixture(scope="module")
def seen(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:  # noqa: F811
    folder = tmp_path_factory.mktemp("visits")

    def put(name: str, data: bytes) -> str:
        (path := folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)

    honest, retracted, earlier = (it.data() for it in (Forged(), Forged(word=RETRACTED), Forged(time=1_000_000_000)))
    bundle = json.loads(honest)
    [record] = bundle["records"]
    domain, key = Domain(1, bundle["registry"]), RecordKey.from_json(record["key"])

    def speaks_of(kind: Kind, relation: Relation) -> RecordKey:
        link = (Link(record["id"], relation),)
        return RecordKey(9, MEMBER, SubjectType.COMMITMENT, f"{kind:064x}", kind, "0" * 64, parents=link)

    children = [
        speaks_of(Kind.DATASET, Relation.RENEWS),
        speaks_of(Kind.DOCUMENT, Relation.WITNESSES),
        speaks_of(Kind.RENEWAL, Relation.RENEWS),
    ]
    nodes.answers |= {
        "keeps": simulated(bundle, has_blocks=True, retracted_at=0, children=children),
        "forgot": simulated(bundle, has_blocks=False, retracted_at=TIME + 6, children=[]),
    }
    of_group = IdentityEvidence(domain, holder_name(domain, group=7), (claim(domain, key, group=7),))
    history = json.dumps([[9e16, 1], [9e16 + 16, 2]]).encode()
    for number, data in enumerate(dense(domain, record["id"], 8, 1000)):
        put(f"dense/keys/{number}.json", data)
    good = put("good.proof", honest)
    trusted = {"files": [good], "fields": {"block": " ".join(blocks_of(honest))}, "press": True, "expects": "Its life"}
    proposed = ",".join([*blocks_of(honest), *blocks_of(earlier)])
    list_of = {"click": "text=Show its records", "expects": "HTTP 404"}
    early = {"files": [put("early.proof", earlier)], "expects": "not later than 2001-09-09"}
    asks = {"press": True, "expects": "Its life"}
    visits: dict[str, dict[str, Any]] = {
        "forgotten": {**asks, "files": [put("retracted.proof", retracted)],
                      "fields": {"network": "1", "node": nodes.url("forgot")}},
        "listed": {"fragment": f"#chain=1&block={proposed}", "files": [good], "expects": "It fits together",
                   "then": [{"fill": {"server": nodes.url("none")}, **list_of}, early]},
        "two": {**asks, "files": [good, put("early.proof", earlier)],
                "fields": {"network": "1", "node": nodes.url("keeps")}},
        "kept": {"fields": {"server": nodes.url("none")},
                 "then": [{"click": "#keep"}, list_of, {"link": "#id="}, {"files": [good], "expects": "Its life"}]},
        "loose": {**trusted, "files": [good, put("results.json", b'{"type":"urn:blockchaintracer:mine:v1"}')]},
        "claim": {**trusted, "files": [good, put("ids.json", json.dumps(of_group.as_json()).encode())]},
        "steps": {"files": [put("h.json", history), put("h.proof", run_of(1, history))], "expects": "step by step"},
        "dense": {"files": [good], "folder": str(folder / "dense"), "expects": "The same as a list"},
    }  # fmt: skip
    told = drive("visit.mjs", {"page": PAGE.as_uri(), "visits": [*visits.values()]}, folder)
    return dict(zip(visits, told, strict=True))


def test_a_retraction_is_seen_where_the_block_was_forgotten(seen: dict[str, Any]) -> None:
    text = seen["forgotten"]["text"]
    assert text.index("Retracted on 2015-07-30") < text.index("Verified")
    assert "Was it retracted?\nYes, on 2015-07-30" in text
    assert "Every check passed" not in text
    assert "No check failed against what you chose to rely on. 2 are unknown" in text


def test_who_asks_for_a_list_chooses_nothing_of_a_link(seen: dict[str, Any]) -> None:
    assert "2001-09-09" in seen["listed"]["text"]
    assert "Verified" not in lines_of(seen["listed"])
    assert "A link or a list proposed what stands here" in seen["listed"]["text"]


def test_a_forged_life_is_not_the_chains(seen: dict[str, Any]) -> None:
    honest, forged = seen["two"]["text"].split("Its life\n")[1:]
    assert "Times are the chain's" in honest
    assert "2001-09-09 01:46:40 UTC\nRecorded" in forged
    assert "What the file says." in forged
    assert "Times are the chain's" not in forged


def test_what_speaks_of_a_record_is_what_it_calls_itself(seen: dict[str, Any]) -> None:
    life = seen["two"]["text"].split("Its life\n")[1].split("Times are the chain's")[0]
    assert "witness" not in life
    assert life.count("renewal") == 1
    assert "Group 9 recorded a renewal of it under another hash, which is not compared here" in life


def test_nothing_is_asked_of_what_was_only_opened(seen: dict[str, Any]) -> None:
    assert [it.rsplit("/", 1)[1] for it in seen["kept"]["asked"]] == ["registry"]


def test_no_file_is_passed_over(seen: dict[str, Any]) -> None:
    assert "unknown: Not compared with the record, because it calls itself" in seen["loose"]["text"]
    assert "results.json." in seen["loose"]["text"]


def test_who_signed_for_a_group_is_named(seen: dict[str, Any]) -> None:
    assert f"\n{MEMBER} signed that the group is this. Nobody was asked" in seen["claim"]["text"]
    assert "The account signed" not in seen["claim"]["text"]


def test_verdicts_are_as_of_the_proof(seen: dict[str, Any]) -> None:
    said = seen["claim"]["text"].split("What others say\n")[1].split("Its life\n")[0]
    assert "As of the block of the proof. What was said since, a node tells." in said
    assert "As of the block" not in seen["two"]["text"].split("What others say\n")[1].split("In plain words\n")[0]


def test_what_cannot_be_drawn_ends_nothing(seen: dict[str, Any]) -> None:
    assert not seen["steps"]["messages"] + seen["dense"]["messages"]
    assert "to be drawn." in seen["steps"]["text"]
    assert "At most 100 links are drawn." in seen["dense"]["text"]
