"""The life of a bounty by its verbs, on a devnet: fund, enter, reveal, claim, refund; and what is refused before money
moves."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from blockchaintracer.core.record import Kind, checksummed
from blockchaintracer.lab import bounties
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from tests.support.artifacts import artifact
from tests.support.labs import second_lab, typed

DAY = 86_400
PURSE, MINTER = "0x" + "aa" * 20, "0x" + "11" * 20


def later(lab: Lab, seconds: int) -> None:
    lab.chain.ask("evm_increaseTime", hex(seconds))
    lab.chain.ask("anvil_mine", "0x1")


def told(lab: Lab, *words: str, code: int = 0) -> dict:
    where = ("--rpc", lab.chain.address, "--registry", lab.registry.address, "--json")
    done = typed(*words, *where, home=lab.home.path)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def groups(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Lab]:
    """The sponsor, and another lab whose group is old enough."""
    other = second_lab(lab, tmp_path_factory.mktemp("other") / "home")
    later(lab, 2 * DAY)
    return lab, other


def test_a_bounty_from_money_in_to_money_out(groups: tuple[Lab, Lab], file: Path, tmp_path: Path) -> None:
    lab, other = groups
    record, group = record_content(lab, Kind.DATASET, file).id, str(other.group())
    terms = tmp_path / "bounty.json"
    times = ("--enter-until", "7d", "--verdict-until", "14d", "-o", str(terms))
    fund = ("bounty", "fund", record, "--groups", group, "--share", "0.25", *times)
    before = lab.chain.balance(lab.signer.address)
    asked = typed(*fund, "--rpc", lab.chain.address, home=lab.home.path)
    assert asked.returncode == 6
    assert f"Pay 0.25 ETH to the bounty contract {bounties.contract_of(lab)}" in asked.stderr
    assert lab.chain.balance(lab.signer.address) == before
    assert not terms.exists()
    funded = told(lab, *fund, "--yes")
    assert (funded["held"], funded["next"]) == (str(10**18 // 4), "enter")
    assert funded["globalId"] == lab.domain.global_id(record), "of the record, not of the bounty"
    assert lab.chain.balance(bounties.contract_of(lab)) == 10**18 // 4
    # by the file and by the id, which the event tells
    assert told(other, "bounty", "show", str(terms)) == told(other, "bounty", "show", funded["bounty"])
    sealed = told(other, "seal", "verdict", record, "reproduced", "--metric", "accuracy=0.93", "--yes")
    assert "NotEligible" in told(lab, "bounty", "enter", str(terms), sealed["commitment"], "--yes", code=2)["message"]
    entered = told(other, "bounty", "enter", str(terms), sealed["commitment"], "--yes")
    assert [(it["group"], it["commitment"]) for it in entered["entries"]] == [(int(group), sealed["commitment"])]
    assert "TooEarly" in told(other, "bounty", "claim", str(terms), "--yes", code=2)["message"]
    later(lab, 8 * DAY)
    told(other, "reveal", sealed["commitment"])
    later(lab, 7 * DAY)
    for lost in (bounties.NO_TOKEN, bounties.contract_of(lab), lab.registry.address):
        refused = told(other, "bounty", "claim", str(terms), "--to", lost, "--yes", code=2)
        assert "account" in refused["hint"], refused
    claimed = told(other, "bounty", "claim", str(terms), "--to", PURSE, "--yes")
    assert (claimed["held"], claimed["entries"][0]["paid"], claimed["next"]) == ("0", True, "over")
    assert lab.chain.balance(PURSE) == 10**18 // 4
    # that it "went to" another account was said, although nothing is paid twice
    again = told(other, "bounty", "claim", str(terms), "--yes", code=2)
    assert again["message"].startswith(f"group {group} has had its share of the bounty")
    assert typed("outbox", "list", home=lab.home.path).returncode == 0


def test_what_nobody_earned_comes_back(groups: tuple[Lab, Lab], file: Path, tmp_path: Path) -> None:
    lab, other = groups
    record, group = record_content(lab, Kind.DATASET, file).id, str(other.group())
    terms = str(tmp_path / "bounty.json")
    times = ("--enter-until", "1d", "--verdict-until", "4d", "-o", terms)
    told(lab, "bounty", "fund", record, "--groups", group, "--share", "1", *times, "--yes")
    assert "TooEarly" in told(lab, "bounty", "refund", terms, "--yes", code=2)["message"]
    later(lab, 35 * DAY)
    assert "NotSponsor" in told(other, "bounty", "refund", terms, "--yes", code=2)["message"]
    assert told(lab, "bounty", "refund", terms, "--yes")["held"] == "0"
    for anyone in (lab, other):
        again = told(anyone, "bounty", "refund", terms, "--yes", code=2)
        assert again["message"].startswith("the contract holds nothing of the bounty")
    assert lab.chain.balance(bounties.contract_of(lab)) == 0


def test_a_bounty_in_a_token_from_money_in_to_money_out(groups: tuple[Lab, Lab], file: Path, tmp_path: Path) -> None:
    """The token is a contract of OpenZeppelin's ERC-20 (tests/contracts/Money.sol)."""
    lab, other = groups
    made = sent(lab, data="0x" + artifact("Token").bytecode.hex())
    token = Money(lab, checksummed(made["contractAddress"]))
    record, group = record_content(lab, Kind.DATASET, file).id, str(other.group())
    terms = str(tmp_path / "bounty.json")
    fund = ("bounty", "fund", record, "--groups", group, "--share", "2.5", "--token", token.address, "-o", terms)
    fund += ("--enter-until", "7d", "--verdict-until", "14d", "--yes")
    # what the sponsor lacks is said before anything is paid or approved
    nonce = lab.chain.nonce(lab.signer.address)
    poor = told(lab, *fund, code=2)
    assert f"expected 2.5 of token {token.address} to pay in, {lab.signer.address} has 0 of" in poor["message"]
    assert lab.chain.nonce(lab.signer.address) == nonce
    token.send("mint(address,uint256)", lab.signer.address, 4 * 10**18)
    funded, contract = told(lab, *fund), bounties.contract_of(lab)
    assert (funded["held"], funded["token"], funded["next"]) == (str(5 * 10**17 * 5), token.address, "enter")
    assert [token.of(it) for it in (lab.signer.address, contract)] == [15 * 10**17, 25 * 10**17]
    assert token.allowed(lab.signer.address, contract) == 0, "no more than this bounty was approved"
    assert told(other, "bounty", "show", terms) == told(other, "bounty", "show", funded["bounty"])
    sealed = told(other, "seal", "verdict", record, "not-reproduced", "--metric", "accuracy=0.5", "--yes")
    told(other, "bounty", "enter", terms, sealed["commitment"], "--yes")
    later(lab, 8 * DAY)
    told(other, "reveal", sealed["commitment"])
    later(lab, 7 * DAY)
    token.send("set(uint8,address,bytes)", 5, PURSE, b"")
    assert "frozen" in str(told(other, "bounty", "claim", terms, "--to", PURSE, "--yes", code=2))
    token.send("set(uint8,address,bytes)", 0, PURSE, b"")
    claimed = told(other, "bounty", "claim", terms, "--to", PURSE, "--yes")
    assert (claimed["held"], claimed["entries"][0]["paid"], claimed["next"]) == ("0", True, "over")
    assert [token.of(it) for it in (PURSE, contract)] == [25 * 10**17, 0]


def sent(lab: Lab, **transaction: str) -> dict[str, Any]:
    lab.chain.ask("anvil_setBalance", MINTER, hex(10**20))
    lab.chain.ask("anvil_impersonateAccount", MINTER)
    identifier = lab.chain.ask("eth_sendTransaction", {"from": MINTER, "gas": hex(5 * 10**6), **transaction})
    while not (receipt := lab.chain.ask("eth_getTransactionReceipt", identifier)):
        time.sleep(0.05)  # a busy node includes it a moment later
    assert receipt["status"] == "0x1"
    return dict(receipt)


class Money:
    """A token on a devnet."""

    def __init__(self, lab: Lab, address: str) -> None:
        self.lab, self.address = lab, address

    def _data(self, signature: str, *values: Any) -> str:
        types = signature.partition("(")[2][:-1].split(",")
        return "0x" + (keccak(signature.encode())[:4] + encode(types, values)).hex()

    def send(self, signature: str, *values: Any) -> None:
        sent(self.lab, to=self.address, data=self._data(signature, *values))

    def of(self, account: str) -> int:
        return self._number("balanceOf(address)", account)

    def allowed(self, owner: str, spender: str) -> int:
        return self._number("allowance(address,address)", owner, spender)

    def _number(self, signature: str, *values: Any) -> int:
        return int.from_bytes(self.lab.chain.call(self.address, self._data(signature, *values)))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (("--share", "0"), "expected a share above 0"),
        (("--share", "0.0000000000000000001"), "at most 18 digits"),
        (("--share", "1e12"), "to pay in"),
        (("--groups", "1"), "own record"),
        (("--groups", "2,99"), "99"),
        (("--groups", "all"), "expected group numbers"),
        (("--verdict-until", "8d"), "InvalidTimes"),
        (("--enter-until", "soon"), "expected a time"),
        (("--token", "0x" + "12" * 20), "expected an ERC-20 token"),
    ],
)
def test_terms_that_the_contract_refuses_cost_nothing(
    groups: tuple[Lab, Lab], file: Path, tmp_path: Path, changed: tuple[str, str], problem: str
) -> None:
    lab, other = groups
    record = record_content(lab, Kind.DATASET, file).id
    given = {"--groups": str(other.group()), "--share": "1", "--enter-until": "7d", "--verdict-until": "14d"}
    options = [word for pair in (given | dict([changed])).items() for word in pair]
    nonce = lab.chain.nonce(lab.signer.address)
    answer = told(lab, "bounty", "fund", record, *options, "-o", str(tmp_path / "bounty.json"), "--yes", code=2)
    assert problem in answer["message"]
    assert problem != "InvalidTimes" or "3 days" in answer["hint"]
    assert lab.chain.nonce(lab.signer.address) == nonce
    assert not (tmp_path / "bounty.json").exists()
    assert "no file here" in told(lab, "bounty", "show", str(tmp_path / "bounty.json"), code=2)["message"]


def test_terms_of_another_are_read_strictly(groups: tuple[Lab, Lab], tmp_path: Path) -> None:
    lab, _ = groups
    terms = tmp_path / "bounty.json"
    times = {"entry_until": 10**9, "verdict_until": 10**9 + 5 * DAY}
    made = bounties.Terms(lab.signer.address, "0x" + "ab" * 32, [2], bounties.NO_TOKEN, 5, **times)
    bounties.write_terms(lab, made, terms)
    assert bounties.read_terms(lab, str(terms)) == made
    for changed in ({"share": "05"}, {"share": 5}, {"registry": PURSE}, {"more": 1}, {"groups": ["2"]}):
        terms.write_text(json.dumps(json.loads(terms.read_bytes()) | changed))
        assert "expected urn:blockchaintracer:bounty:v1" in told(lab, "bounty", "show", str(terms), code=2)["message"]
        bounties.write_terms(lab, made, terms)
