"""Deploying: the same address on every chain, nothing twice whatever dies, and the cost before anything is paid."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner
from eth_abi import encode
from eth_utils import keccak, to_checksum_address

from blockchaintracer.cli import main
from blockchaintracer.core.chain import load_artifact
from blockchaintracer.core.errors import BlockchainTracerError, ContractRevert, InputError, NotVerified
from blockchaintracer.lab.chain import factory as factories
from blockchaintracer.lab.chain.factory import Factory
from blockchaintracer.lab.deploy import plan_deployment
from blockchaintracer.lab.deployments import registries
from blockchaintracer.lab.groups import create_group, deploy, deploy_factory
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import EntryState
from tests.support.node import NodeChain, anvil

NO_PROXY = "--disable-default-create2-deployer"
PASSPHRASE = "correct horse battery staple"
COIN = 10**18


def lab_on(node: NodeChain, folder: Path, *, coins: int = 1, rpc: str | None = None) -> Lab:
    """A lab with a key of its own on a node that it didn't start."""
    lab = Lab(Home(folder), rpc=rpc or node.url, key_name="lab", ask=lambda question: PASSPHRASE)
    keys = KeyStore(lab.home, lab.ask)
    if "lab" not in keys.names():
        keys.create("lab")
    node.rpc("anvil_setBalance", [lab.signer.address, hex(coins * COIN)])
    return lab


def state(node: NodeChain, lab: Lab) -> tuple[object, ...]:
    """All that a deployment would change."""
    return (
        node.block("latest")["hash"],
        node.rpc("eth_getTransactionCount", [lab.signer.address, "pending"]),
        node.rpc("eth_getBalance", [lab.signer.address, "latest"]),
        len(lab.outbox.entries()),
        registries(lab.chain_id, lab.home),
    )


def create2(creator: str, salt: bytes, code: bytes) -> str:
    """EIP-1014, written once more."""
    return to_checksum_address(keccak(b"\xff" + bytes.fromhex(creator[2:]) + salt + keccak(code))[12:])


def creation_code() -> bytes:
    return bytes.fromhex(load_artifact()["bytecode"][2:])


def test_anvil_s_own_proxy_has_the_code_that_is_simulated():
    with anvil() as node:
        assert node.rpc("eth_getCode", [factories.PROXY, "latest"]) == "0x" + factories.PROXY_CODE.hex()


def test_two_chains_have_factory_and_registry_at_the_same_addresses(tmp_path):
    found = []
    with anvil(chain_id=4242) as with_proxy, anvil(NO_PROXY, chain_id=4343) as without:
        # one home, so one key: the owner is in the address
        for node in (with_proxy, without):
            lab = lab_on(node, tmp_path)
            deployed = deploy(lab, open_group_creation=True)
            assert Factory(lab.chain).require().is_genuine(deployed.registry)
            assert lab.registry.read_function("owner") == lab.signer.address
            assert create_group(lab, "The lab").group == 1
            found.append(deployed)
            operations = [entry.write.op for entry in lab.outbox.entries(node.chain_id)]
            proxied = ["fund-proxy", "deploy-proxy"] if node is without else []
            assert operations == [*proxied, "deploy-factory", "deploy-lens", "deploy", "create-group"]
    one, other = found
    assert (one.registry, one.factory, one.salt) == (other.registry, other.factory, other.salt)
    assert one.code_hash != other.code_hash, "the chain id is in the code, as an immutable"
    factory = create2(factories.PROXY, bytes(32), bytes.fromhex(load_artifact("LabRegistryFactory")["bytecode"][2:]))
    arguments = encode(["address", "bool"], [one.owner, True])
    registry = create2(factory, sha256(b"registry").digest(), creation_code() + arguments)
    assert (one.factory, one.registry) == (factory, registry)


def test_a_second_deployment_pays_nothing_and_gives_the_same_answer(tmp_path):
    with anvil(NO_PROXY) as node:
        lab = lab_on(node, tmp_path)
        first = deploy(lab)
        before = state(node, lab)
        second = deploy(lab_on(node, tmp_path))
        assert (first.existing, second.existing) == (False, True)
        assert second == first.__class__(**{**first.__dict__, "existing": True})
        # lab_on gave it coin again
        assert state(node, lab)[:2] == before[:2]
        assert state(node, lab)[3:] == before[3:]


def test_name_rule_and_owner_each_give_another_registry(tmp_path):
    with anvil() as node:
        lab = lab_on(node, tmp_path)
        other = "0x" + "11" * 20
        made = [
            deploy(lab),
            deploy(lab, name="second"),
            deploy(lab, open_group_creation=True),
            deploy(lab, owner=other),
        ]
        assert len({each.registry for each in made}) == 4
        # the lab goes on recording where it did
        assert {each.in_use for each in made} == {made[0].registry} == {lab_on(node, tmp_path).registry.address}
        assert [entry.owner for entry in registries(lab.chain_id, lab.home)].count(to_checksum_address(other)) == 1


def test_a_stranger_who_is_first_has_done_the_owner_a_favour(tmp_path):
    with anvil() as node:
        lab, stranger = lab_on(node, tmp_path / "lab"), lab_on(node, tmp_path / "stranger")
        theirs = deploy(stranger, owner=lab.signer.address)
        own = deploy(stranger)
        mine = deploy(lab)
        assert mine.registry == theirs.registry != own.registry
        assert (mine.existing, mine.transaction) == (True, theirs.transaction)
        assert lab.registry.read_function("owner") == lab.signer.address
        assert node.rpc("eth_getTransactionCount", [lab.signer.address, "latest"]) == "0x0"


def test_what_the_repository_keeps_finds_the_registry_again(tmp_path):
    with anvil(chain_id=4242) as node:
        lab = lab_on(node, tmp_path)
        deployed = deploy(lab, open_group_creation=True)
        noted = json.loads(Path(deployed.noted_in).read_text())
        assert (noted["chainId"], noted["network"]) == ("4242", None)
        [entry] = noted["registries"]
        genesis = node.block("0x0")["hash"]
        code = bytes.fromhex(node.rpc("eth_getCode", [entry["address"], "latest"])[2:])
        receipt = node.receipt(entry["transaction"])
        assert entry == {
            "address": deployed.registry,
            "owner": lab.signer.address,
            "transaction": deployed.transaction,
            "block": int(receipt["blockNumber"], 16),
            "version": "1",
            "factory": factories.factory_address(),
            "openGroupCreation": True,
            "salt": "0x" + sha256(b"registry").hexdigest(),
            "genesis": genesis,
            "codeHash": "0x" + keccak(code).hex(),
        }
        assert receipt["to"] == entry["factory"].lower()
        salt = bytes.fromhex(entry["salt"][2:])
        code = creation_code() + encode(["address", "bool"], [entry["owner"], entry["openGroupCreation"]])
        assert create2(entry["factory"], salt, code) == entry["address"]


# -- before anything is paid


@pytest.mark.parametrize("options", [(), (NO_PROXY,)])
def test_a_dry_run_pays_and_writes_nothing_and_tells_the_very_cost(tmp_path, options):
    with anvil(*options) as node:
        lab = lab_on(node, tmp_path)
        before = state(node, lab)
        plan = plan_deployment(lab, open_group_creation=True)
        assert state(node, lab) == before
        assert [step.name for step in plan.steps] == ["proxy", "factory", "lens", "registry"]
        assert [step.exists for step in plan.steps] == [not options, False, False, False]
        deployed = deploy(lab, open_group_creation=True)
        assert (plan.registry, plan.factory, plan.owner) == (deployed.registry, deployed.factory, deployed.owner)
        used = {
            entry.write.op: int(node.receipt(entry.transaction or "")["gasUsed"], 16) for entry in lab.outbox.entries()
        }
        steps = {step.name: step for step in plan.steps}
        # an estimate is the limit that a transaction needs, which is a little more than it uses in the end
        for name, op in (("factory", "deploy-factory"), ("lens", "deploy-lens"), ("registry", "deploy")):
            assert used[op] <= (steps[name].gas or 0) <= used[op] * 1.03
        paid = COIN - int(node.rpc("eth_getBalance", [lab.signer.address, "latest"]), 16)
        most = sum(step.most_wei or 0 for step in plan.steps)
        assert 0 < paid <= most
        assert plan.cost_wei is not None
        assert plan.cost_wei <= most
        if options:
            assert paid > factories.PROXY_COST_WEI
        after = plan_deployment(lab, open_group_creation=True)
        assert (after.cost_wei, [step.exists for step in after.steps]) == (0, [True] * 4)


def test_a_dry_run_needs_neither_coin_nor_key_if_the_owner_is_named(tmp_path):
    with anvil(NO_PROXY) as node:
        lab = Lab(Home(tmp_path), rpc=node.url)
        with pytest.raises(InputError, match="no signing key was chosen"):
            plan_deployment(lab)
        plan = plan_deployment(lab, owner="0x" + "11" * 20)
        assert (plan.payer, plan.balance_wei) == (None, None)
        assert plan.cost_wei is not None
        assert all(step.gas for step in plan.steps)
        assert not list(lab.home.keys.iterdir())
        assert plan_deployment(lab, factory_only=True).registry is None


def test_the_verb_tells_plan_and_deployment_as_json_and_in_words(tmp_path):
    with anvil() as node:
        lab = lab_on(node, tmp_path / "home")
        given = ["deploy", "--rpc", node.url, "--home", str(lab.home.path), "--open"]
        owner = ["--owner", lab.signer.address]
        before = state(node, lab)
        planned = CliRunner().invoke(main, [*given, *owner, "--dry-run", "--json"])
        told = CliRunner().invoke(main, [*given, *owner, "--dry-run"])
        assert (planned.exit_code, told.exit_code) == (0, 0), planned.output + told.output
        assert state(node, lab) == before
        plan = json.loads(planned.stdout)
        assert set(plan["steps"][1]) == {"name", "address", "exists", "gas", "costWei", "mostWei", "note"}
        for part in (plan["registry"], plan["factory"], f"{plan['steps'][3]['gas']:,}", "Nothing was sent"):
            assert part in told.stdout
        assert deploy(lab, open_group_creation=True).registry == plan["registry"]
        again = CliRunner().invoke(main, [*given, *owner, "--dry-run"])
        assert "there is nothing to pay" in again.stdout


def test_an_owner_who_could_never_act_is_refused_before_the_factory_is_paid(tmp_path):
    with anvil(NO_PROXY) as node:
        lab = lab_on(node, tmp_path)
        before = state(node, lab)
        for refused in (deploy, plan_deployment):
            with pytest.raises(ContractRevert) as error:
                refused(lab, owner="0x" + "00" * 20)
            assert error.value.name == "OwnableInvalidOwner"
        assert state(node, lab) == before


def test_too_little_coin_is_told_and_what_was_done_is_not_done_again(tmp_path):
    with anvil(NO_PROXY) as node:
        lab = lab_on(node, tmp_path)
        node.rpc("anvil_setBalance", [lab.signer.address, hex(factories.PROXY_COST_WEI + COIN // 1000)])
        with pytest.raises(BlockchainTracerError, match="may cost up to"):
            deploy(lab)
        assert [(entry.write.op, entry.state) for entry in lab.outbox.entries()] == [
            ("fund-proxy", EntryState.INCLUDED),
            ("deploy-proxy", EntryState.INCLUDED),
            ("deploy-factory", EntryState.STORED),
            ("deploy-lens", EntryState.STORED),
        ]
        node.rpc("anvil_setBalance", [lab.signer.address, hex(COIN)])
        assert not deploy(again_cheap(lab)).existing
        assert int(node.rpc("eth_getTransactionCount", [lab.signer.address, "latest"]), 16) == 4


def again_cheap(lab: Lab) -> Lab:
    """The same lab, after the chain has forgotten the price of the proxy's transaction, which it would suggest."""
    lab.chain.ask("anvil_mine", "0x40")
    return Lab(lab.home, rpc=lab.rpc, key_name="lab", ask=lab.ask)


# -- whatever dies

KILLED = """
import os, sys
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.groups import deploy
from blockchaintracer.lab.outbox import Outbox
where, which = sys.argv[3], int(sys.argv[4])
step, calls = getattr(Outbox, where), []
def dying(self, *given):
    calls.append(1)
    if len(calls) < which:
        return step(self, *given)
    step(self, *given)
    os.kill(os.getpid(), 9)
setattr(Outbox, where, dying)
deploy(Lab(Home(sys.argv[1]), rpc=sys.argv[2], key_name="lab", ask=lambda question: sys.argv[5]))
"""


@pytest.mark.parametrize("where", ["_sign", "_send", "_wait"])
@pytest.mark.parametrize("which", [1, 2, 3, 4])
def test_killed_between_any_two_steps_nothing_is_made_or_paid_twice(tmp_path, where, which):
    with anvil(NO_PROXY) as node:
        lab = lab_on(node, tmp_path)
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), node.url, where, str(which), PASSPHRASE],
            capture_output=True,
            text=True,
            check=False,
        )
        assert killed.returncode == -9, killed.stderr
        deployed = deploy(again_cheap(lab))
        assert Factory(lab.chain).is_genuine(deployed.registry)
        # payment to the proxy's signer, factory, lens, registry: one transaction each
        assert int(node.rpc("eth_getTransactionCount", [lab.signer.address, "latest"]), 16) == 4
        assert node.rpc("eth_getTransactionCount", [factories.PROXY_SIGNER, "latest"]) == "0x1"
        left = int(node.rpc("eth_getBalance", [factories.PROXY_SIGNER, "latest"]), 16)
        assert left < factories.PROXY_COST_WEI, "its signer was paid once"
        assert {entry.state for entry in lab.outbox.entries()} <= {EntryState.INCLUDED, EntryState.FINAL}
        assert len(lab.outbox.entries()) == 5


def test_two_labs_at_once_make_one_factory(tmp_path):
    with anvil(NO_PROXY) as node:
        labs = [lab_on(node, tmp_path / name) for name in ("one", "two")]
        commands = [
            [sys.executable, "-c", KILLED, str(lab.home.path), node.url, "_sign", "100", PASSPHRASE] for lab in labs
        ]
        running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
        said = [process.communicate(timeout=600)[1] for process in running]
        # who was overtaken is told so, and goes on with the next command
        made = {deploy(again_cheap(lab)).registry for lab in labs}
        assert len(made) == 2, said
        assert all(Factory(labs[0].chain).is_genuine(one) for one in made)


# -- chains and nodes that are different


def test_a_signer_that_somebody_paid_already_is_not_paid_again(tmp_path):
    with anvil(NO_PROXY) as node:
        lab = lab_on(node, tmp_path)
        node.rpc("anvil_setBalance", [factories.PROXY_SIGNER, hex(factories.PROXY_COST_WEI)])
        deploy(lab)
        operations = [entry.write.op for entry in lab.outbox.entries()]
        assert operations == ["deploy-proxy", "deploy-factory", "deploy-lens", "deploy"]


def test_a_signer_that_has_a_part_gets_the_rest(tmp_path):
    with anvil(NO_PROXY) as node:
        lab = lab_on(node, tmp_path)
        node.rpc("anvil_setBalance", [factories.PROXY_SIGNER, hex(factories.PROXY_COST_WEI - 5)])
        deploy(lab)
        [funding] = [entry for entry in lab.outbox.entries() if entry.write.op == "fund-proxy"]
        sent = node.rpc("eth_getTransactionByHash", [(funding.transaction or "")])
        assert (int(sent["value"], 16), sent["to"]) == (5, factories.PROXY_SIGNER.lower())


@contextmanager
def node_that_refuses(node: NodeChain, message: str) -> Iterator[str]:
    """A real node behind one rule of geth's: no transaction without a chain id."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            call = json.loads(body)
            if call["method"] == "eth_sendRawTransaction" and call["params"][0][2:4] == "f8":
                answer = json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32000, "message": message}})
                data = answer.encode()
            else:
                data = requests.post(
                    node.url, data=body, headers={"Content-Type": "application/json"}, timeout=20
                ).content
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *values: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    "message",
    [
        "only replay-protected (EIP-155) transactions allowed over RPC",
        "rejected unprotected Ethereum transaction. Please EIP155-sign your transaction to protect it",
    ],
)
def test_a_node_that_wants_a_chain_id_says_so_before_anything_is_paid(tmp_path, message):
    with anvil(NO_PROXY) as node, node_that_refuses(node, message) as url:
        lab = lab_on(node, tmp_path, rpc=url)
        before = state(node, lab)
        with pytest.raises(InputError, match="no transaction without a chain id") as error:
            deploy(lab)
        assert "--factory" in (error.value.hint or "")
        assert state(node, lab) == before
        # its signer was paid by somebody else: the refusal blocks nothing that waits behind it
        node.rpc("anvil_setBalance", [factories.PROXY_SIGNER, hex(factories.PROXY_COST_WEI)])
        with pytest.raises(InputError, match="no transaction without a chain id"):
            deploy(lab)
        first = lab.outbox.entries()[0]
        assert (first.write.op, first.state) == ("deploy-proxy", EntryState.FAILED)
        assert not deploy(lab_on(node, tmp_path)).existing, "by another node of the same chain it works"


def test_a_factory_by_an_ordinary_transaction_serves_where_it_has_to(tmp_path):
    with anvil(NO_PROXY) as node:
        lab = lab_on(node, tmp_path)
        code = bytes.fromhex(load_artifact("LabRegistryFactory")["bytecode"][2:])
        receipt = node.transact("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266", None, code, gas=hex(8_000_000))
        address = to_checksum_address(receipt["contractAddress"])
        assert plan_deployment(lab, factory=address).factory == address
        deployed = deploy(lab, factory=address)
        assert deployed.factory == address != factories.factory_address()
        assert Factory(lab.chain, address).is_genuine(deployed.registry)
        assert [entry.write.op for entry in lab.outbox.entries()] == ["deploy"]


def test_a_contract_that_is_not_the_factory_is_refused_before_anything_is_paid(tmp_path):
    with anvil() as node:
        lab = lab_on(node, tmp_path)
        deployed = deploy(lab)
        before = state(node, lab)
        for refused in (deploy, plan_deployment):
            with pytest.raises(NotVerified, match="not what this version's factory has"):
                refused(lab, factory=deployed.registry, name="second")
            with pytest.raises(InputError, match="got no contract"):
                refused(lab, factory=lab.signer.address, name="second")
        # the right factory over other creation code: its registries would be somebody else's
        *_, data = Factory(lab.chain).code()
        kept = node.rpc("eth_getCode", [data, "latest"])
        node.rpc("anvil_setCode", [data, kept[:-2] + f"{int(kept[-2:], 16) ^ 1:02x}"])
        with pytest.raises(NotVerified, match=data):
            deploy(lab, name="second")
        node.rpc("anvil_setCode", [data, kept])
        assert state(node, lab)[1:] == before[1:]


def test_a_chain_whose_gas_is_dearer_than_the_proxy_pays_is_told(tmp_path):
    with anvil(NO_PROXY, "--base-fee", str(200 * 10**9)) as node:
        lab = lab_on(node, tmp_path)
        node.rpc("anvil_setNextBlockBaseFeePerGas", [hex(200 * 10**9)])
        node.rpc("anvil_mine", ["0x1"])
        before = state(node, lab)
        with pytest.raises(InputError, match="gwei now, and the transaction pays 100"):
            deploy(lab)
        assert state(node, lab) == before
        assert "pays 100" in (plan_deployment(lab).steps[0].note or "")


def test_the_factory_alone_and_for_nothing_the_second_time(tmp_path):
    with anvil() as node:
        lab = lab_on(node, tmp_path)
        assert deploy_factory(lab).address == factories.factory_address()
        before = state(node, lab)
        assert deploy_factory(lab).exists()
        assert state(node, lab) == before
        given = ["deploy", "--rpc", node.url, "--home", str(lab.home.path), "--factory-only"]
        planned = CliRunner().invoke(main, [*given, "--dry-run", "--json"])
        assert json.loads(planned.stdout)["costWei"] == 0
        both = CliRunner().invoke(main, [*given, "--factory", factories.factory_address()])
        assert both.exit_code == 2
        assert registries(lab.chain_id, lab.home) == []


def test_a_chain_that_lost_the_factory_of_another_lab_gets_it_again(tmp_path):
    with anvil() as node:
        first, second = lab_on(node, tmp_path / "first"), lab_on(node, tmp_path / "second")
        empty = node.rpc("evm_snapshot", [])
        deploy(first)
        registry = deploy(second).registry
        node.rpc("evm_revert", [empty])
        node.rpc("anvil_setBalance", [second.signer.address, hex(COIN)])
        node.rpc("anvil_mine", ["0x10"])
        again = Lab(second.home, rpc=node.url, key_name="lab", ask=second.ask)
        assert [entry.write.op for entry in again.flush()] == ["deploy-factory", "deploy-lens", "deploy"]
        assert Factory(again.chain).is_genuine(registry)
