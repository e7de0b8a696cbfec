"""Who stands behind a record, what its group is called, and how closely others reproduced it, as the page says it."""

from __future__ import annotations

import json
import re
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from blockchaintracer.core.manifest import Metric, RunPredicate, Tolerance
from blockchaintracer.core.record import Domain, Kind, Link, Relation, Verdict, checksummed
from blockchaintracer.extras.identity.confirm import keep_claim, statement_of
from blockchaintracer.extras.identity.holders import CHECKED
from blockchaintracer.extras.identity.identity_claims import claim, holder_of
from blockchaintracer.extras.search import Index
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.kept_identities import IdentityEvidence, IdentityRecord, holder_name, keep
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.published_pages import PAGE
from blockchaintracer.lab.recording.content import commit_document
from blockchaintracer.lab.recording.run import named_parents, record_run
from tests.live.browser.chromium import drive
from tests.live.browser.test_check_page import Nodes, nodes, pytestmark, serving  # noqa: F401
from tests.support.bundle_evidence import AUTHOR, with_evidence
from tests.support.forged_bundles import Forged
from tests.support.memory_node import MODES, MemoryNode, answering, forgetful
from tests.support.registry_life import FULL, KeptSigner
from tests.support.served import Served

ORCID, WITHDRAWN, AGAIN = "0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-9079-593X"
DOMAIN, SILENT = "lab.example.org", "silent.example.org"


@dataclass
class People:
    """A run of one group that another group reproduced, and who they say to be."""

    node: MemoryNode
    registry: str
    owner: str
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


def page_of(orcid: str, *names: str) -> bytes:
    """The public record of a person at ORCID, with these websites."""
    urls = [{"visibility": "PUBLIC", "url": {"value": f"https://orcid.org/{orcid}#{name}"}} for name in names]
    return json.dumps({"path": f"/{orcid}/person", "researcher-urls": {"researcher-url": urls}}).encode()


def saw(lab: Lab, keeper: Lab, entry: IdentityRecord, page: bytes) -> None:
    """Record for a lab that the other side of a claim had this page, and keep it where the claim's lab publishes it."""
    document = commit_document(
        lab,
        Kind.DOCUMENT,
        lab.store.put_bytes(page),
        [Link(lab.domain.record_id(entry.key), Relation.CONFIRMS)],
        name="Identity check",
        subject_type="file",
        values={CHECKED: {"method": "orcid", "address": "https://pub.orcid.org/", "fetchedAt": 1}},
    )
    [waiting] = [it for it in lab.outbox.entries_about(document.id) if it.write.record_id == document.id]
    manifest = json.loads(lab.store.get_bytes(document.manifest))
    kept = {"key": waiting.write.key.as_json(), "manifest": manifest, "page": b64encode(page).decode()}
    holder = holder_of(lab.domain, statement_of(entry))
    keep(keeper.home, lab.domain, holder, IdentityRecord.from_json(kept))


class OtherSides:
    """Hosts that claims name, as one server with TLS on loopback has them: pages by host and path."""

    def __init__(self, folder: Path, pages: dict[str, bytes], silent: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "it")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        (folder / "it.pem").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        )

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host = self.headers["Host"].split(":")[0]
                page = pages.get(host + self.path)
                self.send_response(404 if page is None else 200)
                if host != silent:
                    self.send_header("Access-Control-Allow-Origin", "*")
                self.end_headers()
                self.wfile.write(page or b"")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "it.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.rules = f"MAP *.org 127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    folder = tmp_path_factory.mktemp("people")
    node = MemoryNode()
    node.mine()
    owner = KeptSigner("owner")
    registry = node.deploy("LabRegistry", owner.address, True)
    domain = Domain(node.chain.chain_id, checksummed(registry))
    made = People(node, registry, owner.address, folder / "published", folder / "index.sqlite", domain)
    with answering(full=node.answer):
        labs = []
        for name in ("Ada's lab", "Bob's lab", "Eve's lab"):
            signer = owner if not labs else KeptSigner(name)
            labs.append(Lab(Home(folder / name), rpc=FULL, registry_address=made.registry, signer_given=signer))
            create_group(labs[-1], name, description=f"All of {name}.")
        lab, *others = labs
        made.ids["first"] = run(lab, 1, 0.5)
        for number, (other, loss) in enumerate(zip(others, (0.52, 0.9), strict=True), 2):
            again = run(other, number, loss, Link(made.ids["first"], Relation.REPRODUCES))
            verdict = Verdict.REPRODUCED if loss < 0.6 else Verdict.NOT_REPRODUCED
            attest(other, made.ids["first"], verdict, evidence=again)
            made.ids[f"again {number}"] = again
        entry = claimed(lab, "orcid", ORCID)
        claimed(lab, "domain", DOMAIN, for_group=True)
        claimed(lab, "domain", SILENT)
        withdrawn = claimed(lab, "orcid", WITHDRAWN)
        retract(lab, lab.domain.record_id(withdrawn.key), "a typing error")
        number = create_group(lab, "Ada again").group
        twin = Lab(Home(folder / "twin"), rpc=FULL, registry_address=registry, signer_given=owner, group_number=number)
        made.ids["twin"] = run(twin, 4, 0.5, Link(made.ids["first"], Relation.REPRODUCES))
        attest(twin, made.ids["first"], Verdict.REPRODUCED, evidence=made.ids["twin"])
        first = claimed(lab, "orcid", AGAIN)
        retract(lab, lab.domain.record_id(first.key), "a typing error")
        claimed(lab, "orcid", AGAIN)
        saw(others[0], lab, entry, page_of(ORCID, holder_of(lab.domain, statement_of(entry))))
        saw(others[1], lab, entry, page_of(ORCID, "eip155:1:0x12"))
        node.mine(4)
        publish(lab, made.ids["first"], made.published)
        publish(others[0], made.ids["again 2"], made.published)
        publish(twin, made.ids["twin"], made.published)
        for number in range(60):
            stranger = IdentityEvidence(domain, holder_name(domain, group=1000 + number))
            (made.published / "identities" / f"{number:02}.json").write_bytes(stranger.to_bytes())
        with Index(made.index) as index:
            index.sync(lab.registry, lab.store)
    return made


@pytest.fixture(scope="module")
def visits(people: People, nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:  # noqa: F811
    """What the page says by a node, by one that has forgotten old events, with a server beside it, by other sides."""
    folder = tmp_path_factory.mktemp("visits")
    nodes.answers |= {"people": people.node.answer, "pruned": forgetful(people.node, MODES[0], people.node.head)}
    chosen = {"network": "other", "chain": str(people.node.chain.chain_id), "registry": people.registry}
    shared = {"folder": str(people.published), "paste": people.ids["first"], "widths": [320], "audit": True}
    by_node: dict[str, Any] = {"fields": chosen | {"node": nodes.url("people")}, "expects": "Its life"}
    account, group = (holder_name(people.domain, **it) for it in ({"account": people.owner}, {"group": 1}))
    evident = with_evidence(Forged(author=AUTHOR).plain())
    stranger = holder_name(Domain(1, evident["registry"]), account=AUTHOR)
    (folder / "evident.proof").write_bytes(rfc8785.dumps(evident))
    orcid = page_of(ORCID, account, stranger)
    (folder / "person.json").write_bytes(orcid)
    (folder / "stranger.json").write_bytes(page_of(ORCID, group))
    of_group = {"type": "urn:blockchaintracer:identity-page:v1", "of": f"domain:{DOMAIN}", "names": [group]}
    pages = {
        f"pub.orcid.org/v3.0/{ORCID}/person": orcid,
        f"pub.orcid.org/v3.0/{AGAIN}/person": page_of(AGAIN, account),
        f"{DOMAIN}/.well-known/blockchaintracer.json": json.dumps(of_group).encode(),
    }
    saved = f'input[aria-label$="ORCID {ORCID}"]'

    def asks(title: str) -> dict[str, str]:
        return {"click": f'button:has-text("Ask the page of {title}")'}

    def waits(title: str, state: str) -> dict[str, str]:
        return {**asks(title), "expects": f"{title}, {state}"}

    named = [
        waits(f"ORCID {ORCID}", "confirmed today"),
        waits(f"domain {DOMAIN}", "confirmed today"),
        {**asks(f"domain {SILENT}"), "expects": "unknown: it could not be asked"},
        {**asks(f"ORCID {AGAIN}"), "expects": "After a withdrawal only the claim itself counts."},
    ]
    tells = {"choose": [saved, [str(folder / "person.json")]], "expects": "confirmed today, by the file"}
    denies = {"choose": [saved, [str(folder / "stranger.json")]], "expects": "it names neither the claim nor"}
    with serving(Served(people.index, domain=people.domain)) as server:
        visits: dict[str, dict[str, Any]] = {
            "node": by_node,
            "server": {"fields": chosen | {"node": nodes.url("pruned"), "server": server}, "expects": "By the word of"},
            "asked": {**by_node, "fields": by_node["fields"] | {"pages": True}, "then": named},
            "home": {**by_node, "paste": "", "expects": "Latest records"},
            "locked": {**by_node, "then": [tells]},
            "denied": {**by_node, "then": [denies]},
            "no node": {
                "paste": "",
                "folder": "",
                "files": [str(folder / "evident.proof")],
                "expects": "Its life",
                "then": [waits(f"ORCID {ORCID}", "unknown: its page names it")],
            },
        }
        hosts = OtherSides(folder, pages, SILENT)
        asked = {"page": PAGE.as_uri(), "hosts": hosts.rules, "visits": [shared | visit for visit in visits.values()]}
        told = drive("visit.mjs", asked, folder)
        hosts.server.shutdown()
    return dict(zip(visits, told, strict=True))


@pytest.fixture(scope="module")
def seen(visits: dict[str, dict[str, Any]]) -> dict[str, str]:
    for name, visit in visits.items():
        # the browser itself says that a site gives its page to no other, or has none
        told = f"{SILENT}|ERR_FAILED|status of 404"
        messages = [it for it in visit["messages"] if name not in ("asked", "denied") or not re.search(told, it)]
        assert not messages + visit["faults"] + visit["overflowing"], name
    return {name: visit["text"] for name, visit in visits.items()}


@pytest.fixture
def text(seen: dict[str, str]) -> str:
    return seen["node"]


def test_a_claim_is_no_confirmed_name(text: str) -> None:
    who = text.split("Who committed to it")[1].split("For which group", maxsplit=1)[0]
    assert f"ORCID {ORCID}, not confirmed\nThe account signed that it is this, and recorded it on" in who
    assert "That is this group's word: the page that it kept names it, and anybody can write one." in who
    assert re.search("Group 3 recorded on .{23} a page that does not name it: that does not count.", who)
    assert f"Group 1: domain {DOMAIN}, not confirmed" in who
    assert "confirmed today" not in who


def test_another_side_is_asked_if_the_visitor_presses_for_it(seen: dict[str, str], visits: dict[str, Any]) -> None:
    asked = seen["asked"]
    assert f"ORCID {ORCID}, confirmed today\n" in asked
    assert f"Group 1: domain {DOMAIN}, confirmed today\n" in asked
    assert f"domain {SILENT}, unknown: it could not be asked" in asked
    assert f"ORCID {AGAIN}, not confirmed\n" in asked
    assert "it names the account. After a withdrawal only the claim itself counts." in asked
    hosts = {urlsplit(it).hostname for it in visits["asked"]["asked"]}
    assert hosts == {"127.0.0.1", "pub.orcid.org", DOMAIN, SILENT}
    assert not [it for it in visits["node"]["asked"] + visits["locked"]["asked"] if ".org" in it]


def test_a_file_from_the_other_side_is_judged(seen: dict[str, str]) -> None:
    assert "This page has locked itself to the nodes that you named." in seen["locked"]
    assert f"ORCID {ORCID}, confirmed today, by the file that you saved\n" in seen["locked"]
    assert f"ORCID {ORCID}, not confirmed\n" in seen["denied"]
    assert "confirmed today" not in seen["denied"]


def test_without_a_node_no_name_is_confirmed(seen: dict[str, str]) -> None:
    assert (
        f"ORCID {ORCID}, unknown: its page names it. Whether the claim is recorded and not withdrawn a node"
        in seen["no node"]
    )
    assert "confirmed today" not in seen["no node"]


def test_a_withdrawn_claim_does_not_count(text: str) -> None:
    assert f"ORCID {WITHDRAWN}, withdrawn\nWithdrawn on 2" in text
    assert text.index(ORCID) < text.index(WITHDRAWN)


def test_a_group_is_called_what_its_owner_calls_it(text: str) -> None:
    assert "Its owner calls it “Ada's lab”. Any group can take any name." in text


def test_what_a_group_says_of_itself_is_published(seen: dict[str, str]) -> None:
    assert "Its owner says of it: “All of Ada's lab.”" in seen["node"]
    groups = seen["home"].split("A registry and its records")[1].split("Latest records", maxsplit=1)[0]
    assert "group 1\tAda's lab\nAll of Ada's lab.\n\t" in groups
    assert "group 2\tBob's lab\n" in groups
    assert "Eve's" not in seen["home"]


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
