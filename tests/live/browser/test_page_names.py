"""Who stands behind a record, what its group is called, and how closely others reproduced it, as the page says it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from blockchaintracer.core.manifest import Metric, RunPredicate, Tolerance
from blockchaintracer.core.record import Domain, Kind, Link, Relation, Verdict, checksummed
from blockchaintracer.core.verify.copies import object_name
from blockchaintracer.extras.identity.confirm import keep_claim, statement_of
from blockchaintracer.extras.identity.holders import CHECKED
from blockchaintracer.extras.identity.identity_claims import claim, holder_of
from blockchaintracer.extras.search import Index
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.groups import create_group, store_profile
from blockchaintracer.lab.kept_identities import IdentityRecord, keep
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.published_pages import PAGE
from blockchaintracer.lab.recording.content import commit_document
from blockchaintracer.lab.recording.run import named_parents, record_run
from tests.live.browser.chromium import drive
from tests.live.browser.test_check_page import Nodes, nodes, pytestmark, serving  # noqa: F401
from tests.support.memory_node import MODES, MemoryNode, answering, forgetful
from tests.support.registry_life import FULL, KeptSigner
from tests.support.served import Served

ORCID, WITHDRAWN = "0000-0002-1825-0097", "0000-0001-5109-3700"
DOMAIN = "lab.example.org"


@dataclass
class People:
    """A run of one group that another group reproduced, and who they say to be."""

    node: MemoryNode
    registry: str
    published: Path
    index: Path
    domain: Domain
    ids: dict[str, str] = field(default_factory=dict)


def claimed(lab: Lab, scheme: str, identifier: str, *, for_group: bool = False) -> IdentityRecord:
    return keep_claim(lab, claim(lab, scheme, identifier, for_group=for_group))


def run(lab: Lab, number: int, loss: float, *parents: Link) -> str:
    metrics = {
        "loss": Metric(value=loss, tolerance=Tolerance(absolute=0.05)),
        "speed": Metric(value=number * 10.0),
    }
    run_id = f"0c4cd0d6-6b6c-4d5a-8d3c-{number:012}"
    named = named_parents(parents)
    return record_run(
        lab, RunPredicate(run_id=run_id, name=f"run {number}", status="completed", metrics=metrics, parents=named)
    ).id


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    folder = tmp_path_factory.mktemp("people")
    node = MemoryNode()
    node.mine()
    owner = KeptSigner("owner")
    registry = node.deploy("LabRegistry", owner.address, True)
    domain = Domain(node.chain.chain_id, checksummed(registry))
    made = People(node, registry, folder / "published", folder / "index.sqlite", domain)
    with answering(full=node.answer):
        labs = []
        for name in ("Ada's lab", "Bob's lab", "Eve's lab"):
            signer = owner if not labs else KeptSigner(name)
            labs.append(Lab(Home(folder / name), rpc=FULL, registry_address=made.registry, signer_given=signer))
            create_group(labs[-1], name)
        lab, *others = labs
        made.ids["first"] = run(lab, 1, 0.5)
        for number, (other, loss) in enumerate(zip(others, (0.52, 0.9), strict=True), 2):
            again = run(other, number, loss, Link(made.ids["first"], Relation.REPRODUCES))
            verdict = Verdict.REPRODUCED if loss < 0.6 else Verdict.NOT_REPRODUCED
            attest(other, made.ids["first"], verdict, evidence=again)
            made.ids[f"again {number}"] = again
        entry = claimed(lab, "orcid", ORCID)
        claimed(lab, "domain", DOMAIN, for_group=True)
        withdrawn = claimed(lab, "orcid", WITHDRAWN)
        retract(lab, lab.domain.record_id(withdrawn.key), "a typing error")
        number = create_group(lab, "Ada again").group
        twin = Lab(Home(folder / "twin"), rpc=FULL, registry_address=registry, signer_given=owner, group_number=number)
        made.ids["twin"] = run(twin, 4, 0.5, Link(made.ids["first"], Relation.REPRODUCES))
        attest(twin, made.ids["first"], Verdict.REPRODUCED, evidence=made.ids["twin"])
        document = commit_document(
            others[0],
            Kind.DOCUMENT,
            others[0].store.put_bytes(b"a page that named it"),
            [Link(lab.domain.record_id(entry.key), Relation.CONFIRMS)],
            name="Identity check",
            subject_type="file",
            values={CHECKED: {"method": "orcid", "address": "https://pub.orcid.org/", "fetchedAt": 1}},
        )
        [waiting] = [it for it in others[0].outbox.entries_about(document.id) if it.write.record_id == document.id]
        manifest = others[0].store.get_bytes(document.manifest)
        seen = IdentityRecord.from_json({"key": waiting.write.key.as_json(), "manifest": json.loads(manifest)})
        keep(lab.home, lab.domain, holder_of(lab.domain, statement_of(entry)), seen)
        node.mine(4)
        publish(lab, made.ids["first"], made.published)
        publish(others[0], made.ids["again 2"], made.published)
        publish(twin, made.ids["twin"], made.published)
        profile = store_profile(lab, "Ada's lab", None)
        path = made.published / object_name(profile)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(lab.store.get_bytes(profile))
        with Index(made.index) as index:
            index.sync(lab.registry, lab.store)
    return made


@pytest.fixture(scope="module")
def seen(people: People, nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:  # noqa: F811
    """What the page says: by a node, and by one that has forgotten old events, with a server beside it."""
    nodes.answers |= {"people": people.node.answer, "pruned": forgetful(people.node, MODES[0], people.node.head)}
    chosen = {"network": "other", "chain": str(people.node.chain.chain_id), "registry": people.registry}
    shared = {"folder": str(people.published), "paste": people.ids["first"], "widths": [320], "audit": True}
    with serving(Served(people.index, domain=people.domain)) as server:
        visits = {
            "node": {"fields": chosen | {"node": nodes.url("people")}, "expects": "Its life"},
            "server": {"fields": chosen | {"node": nodes.url("pruned"), "server": server}, "expects": "By the word of"},
        }
        asked = {"page": PAGE.as_uri(), "visits": [shared | visit for visit in visits.values()]}
        told = drive("visit.mjs", asked, tmp_path_factory.mktemp("visits"))
    for visit in told:
        assert not visit["messages"] + visit["faults"] + visit["overflowing"]
    return {name: visit["text"] for name, visit in zip(visits, told, strict=True)}


@pytest.fixture
def text(seen: dict[str, str]) -> str:
    return seen["node"]


def test_a_claim_is_no_confirmed_name(text: str) -> None:
    who = text.split("Who committed to it")[1].split("For which group", maxsplit=1)[0]
    assert f"ORCID {ORCID}, not confirmed\nThe account signed that it is this, and recorded it on" in who
    assert "Group 2 recorded on" in who
    assert "That is this group's word, and its page is not judged here." in who
    assert f"Group 1: domain {DOMAIN}, not confirmed" in who
    assert "This page asks no other side" in who


def test_a_withdrawn_claim_does_not_count(text: str) -> None:
    assert f"ORCID {WITHDRAWN}, withdrawn\nWithdrawn on 2" in text
    assert text.index(ORCID) < text.index(WITHDRAWN)


def test_a_group_is_called_what_its_owner_calls_it(text: str) -> None:
    assert "Its owner calls it “Ada's lab”. Any group can take any name." in text


def test_how_closely_each_group_reproduced_it(text: str) -> None:
    said = text.split("What others say")[1]
    assert "Group 2: reproduced, on" in said
    assert "loss\t0.5\t0.52\t0.02\t0.05: within" in said
    assert "speed\t10\t20\t10\tnothing named" in said
    third, fourth = said.split("Group 3: not reproduced, on")[1].split("Group 4: reproduced, on")
    assert "The content of the run that it names is not here" in third
    assert "The run that it names is of the same account as this record." in fourth
    assert "same account" not in third


def test_whether_it_was_retracted_is_always_said(text: str) -> None:
    assert "Was it retracted?\nNo, as of now, by 127.0.0.1" in text


def test_a_server_tells_the_lineage_that_a_node_forgot(seen: dict[str, str], people: People) -> None:
    told = seen["server"]
    assert "alone: nothing of it was checked." in told
    # the server has no manifest of the other group's run
    again = people.ids["again 2"][:10]
    lines = told[told.index("By the word of") :].splitlines()
    assert f"{again}…\trun\tcame after\t" in lines
    assert "reproduces run 1" in lines
    assert "calls it “Ada's lab”: that is the server's word." in told
    assert "By the word of" not in seen["node"]
