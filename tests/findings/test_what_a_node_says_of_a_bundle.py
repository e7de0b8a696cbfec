"""No node was asked whether a bundle's blocks are on the chain and final, nor what became of its records since."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer import Trust, verify_bundle
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.attest import retract
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.bundle.export_proof import export_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from tests.support.forged_bundles import Forged, blocks_of
from tests.support.labs import typed
from tests.support.proxy import Ask, proxied

pytestmark = pytest.mark.node


@pytest.fixture
def ids(lab: Lab, tmp_path: Path) -> list[str]:
    made = []
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(os.urandom(8))
        made.append(record_content(lab, Kind.DATASET, tmp_path / name, name=name).id)
    return made


@pytest.fixture
def proof(lab: Lab, ids: list[str], tmp_path: Path) -> Path:
    export_proof(lab, ids, tmp_path / "two.proof")
    return tmp_path / "two.proof"


def asked(proof: Path, rpc: str, *words: str, chain_id: int = 77787) -> Any:
    """What a stranger with an empty home is told, and the exit code."""
    home = proof.parent / "stranger"
    where = ("--rpc", rpc, "--chain-id", str(chain_id))
    shown = typed("verify", "--proof", str(proof), *where, *words, "--json", home=home)
    assert not home.exists()
    return {"exit": shown.returncode, **json.loads(shown.stdout)}


@pytest.fixture
def node(lab: Lab) -> str:
    return lab.devnet.start().url


def test_blocks_that_are_final_on_the_chain_that_was_chosen_stand(lab: Lab, proof: Path, node: str) -> None:
    told = asked(proof, node, str(proof.parent / "one"))
    assert (told["exit"], told["outcome"], told["verified"]) == (0, "verified", True)
    assert told["privateTestChain"]
    assert told["code"]["version"] == "1"
    shown = typed("verify", "--proof", str(proof), "--network", "devnet", home=lab.home.path)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stdout.splitlines()[0].endswith("Checked here; a private test chain proves nothing to others.")
    assert shown.stdout.splitlines()[0].startswith("Verified on a private test chain: 2 records as of block ")
    shown = typed("verify", "--proof", str(proof), "--home", str(lab.home.path), home=proof.parent / "stranger")
    assert shown.returncode == 0, shown.stdout + shown.stderr


def test_blocks_that_the_node_does_not_have_are_not_verified(proof: Path, node: str, tmp_path: Path) -> None:
    for forged in (Forged(chain_id=77787), Forged(chain_id=77787, number=3)):
        (tmp_path / "forged.proof").write_bytes(data := forged.data())
        told = asked(tmp_path / "forged.proof", node)
        assert (told["exit"], told["outcome"], told["verified"], told["code"]) == (1, "not verified", False, None)
        # what is trusted otherwise is not asked for, and today's state contradicts it
        words = [word for block in blocks_of(data) for word in ("--trust-block", block)]
        assert asked(tmp_path / "forged.proof", node, *words)["exit"] == 1


def test_blocks_that_are_not_final_yet_are_consistent(lab: Lab, ids: list[str], node: str, tmp_path: Path) -> None:
    lab.chain.ask("anvil_mine", "0x1")
    head = lab.chain.head().number
    export_proof(lab, ids, tmp_path / "new.proof", block=head)
    told = asked(tmp_path / "new.proof", node)
    assert (told["exit"], told["outcome"]) == (4, "consistent")
    assert any("not final yet" in check["detail"] for check in told["checks"])
    lab.chain.ask("anvil_mine", "0x5")
    assert asked(tmp_path / "new.proof", node)["exit"] == 0


def test_a_node_that_does_not_answer_leaves_what_the_file_shows(proof: Path, ids: list[str]) -> None:
    told = asked(proof, "http://127.0.0.1:9")
    assert (told["exit"], told["outcome"], told["verified"]) == (3, "unavailable", None)
    assert [record["id"] for record in told["records"]] == ids
    assert told["code"] is None
    words = [word for block in blocks_of(proof.read_bytes()) for word in ("--trust-block", block)]
    told = asked(proof, "http://127.0.0.1:9", *words)
    assert (told["exit"], told["today"]) == (0, {})


def test_a_node_of_another_chain_is_refused(proof: Path, node: str) -> None:
    assert asked(proof, node, chain_id=1)["exit"] == 1, "the bundle is of another chain: no node needs to tell"
    with pytest.raises(Exception, match="expected a node of chain 5"):
        verify_bundle(Forged(chain_id=5).data(), Trust(chain_id=5, rpc=node))


def test_what_became_of_a_record_since_is_told(lab: Lab, proof: Path, ids: list[str], node: str) -> None:
    retract(lab, ids[1], "a mistake")
    told = asked(proof, node)
    assert told["exit"] == 0
    assert list(told["since"]) == [ids[1]]
    assert told["since"][ids[1]].startswith("retracted since, on 20")
    shown = typed("verify", "--proof", str(proof), "--network", "devnet", home=lab.home.path)
    assert "Retracted since, on 20" in shown.stdout.splitlines()[0]
    words = [word for block in blocks_of(proof.read_bytes()) for word in ("--trust-block", block)]
    alone = typed("verify", "--proof", str(proof), *words, home=proof.parent / "stranger")
    assert (alone.returncode, "no node told" in alone.stdout) == (0, True)


ANSWERS: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
    lambda request: {"result": None},
    lambda request: {"error": {"code": 4444, "message": "pruned history unavailable"}},
    lambda request: {"error": {"code": -32000, "message": "history not available"}},
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_todays_state_decides_where_the_node_has_forgotten_a_block(
    lab: Lab, proof: Path, ids: list[str], node: str, tmp_path: Path, answer: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    (tmp_path / "three").write_bytes(os.urandom(8))
    with batching(lab):
        batched = record_content(lab, Kind.DATASET, tmp_path / "three", name="three").id
    anchor(lab)
    export_proof(lab, [*ids, batched], proof)
    cut = lab.chain.head().number + 1

    def forgetful(request: dict[str, Any], ask: Ask) -> Any:
        number = request["params"][0] if request["method"] == "eth_getBlockByNumber" else ""
        is_old = number.startswith("0x") and int(number, 16) < cut
        return {"jsonrpc": "2.0", "id": request["id"], **answer(request)} if is_old else ask()

    lab.chain.ask("anvil_mine", "0x4")
    with proxied(node) as proxy:
        proxy.fault = forgetful
        told = asked(proof, proxy.url)
        assert (told["exit"], told["outcome"]) == (0, "verified")
        assert {check["name"] for check in told["checks"] if check["verdict"] == "unknown"} == {"forgotten"}
        assert set(told["today"]) == {*ids, batched}
        shown = typed(
            *("verify", "--proof", str(proof), "--rpc", proxy.url, "--chain-id", "77787"), home=tmp_path / "stranger"
        )
        assert "the block and transaction that hold it are unknown" in shown.stdout
        assert "groups reproduced it" not in shown.stdout.partition("Checks")[0]
        assert "3 records by today's state" in shown.stdout.splitlines()[0]
        # a record that today's state does not hold
        (tmp_path / "forged.proof").write_bytes(
            Forged(chain_id=77787, number=2, author=lab.signer.address.lower()).data()
        )
        told = asked(tmp_path / "forged.proof", proxy.url)
        assert (told["exit"], told["outcome"]) == (1, "not verified")
