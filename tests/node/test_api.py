"""Verifying and recording from Python, by the public names alone."""

import subprocess
import sys

import pytest

from blockchaintracer import Trust, open_lab, open_registry, record_id, verify
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.verify import Outcome
from tests.support.labs import ROOT


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A lab, a record of a file with a parent, the file, and the folder where both are published."""
    folder = tmp_path_factory.mktemp("api")
    lab = open_lab(folder / "home")
    try:
        lab.deploy(open_group_creation=True)
        assert lab.create_group("The lab") == 1
        data, model = folder / "data.csv", folder / "model.bin"
        data.write_text("1,2\n")
        model.write_text("weights\n")
        parent = lab.record(data, license="MIT")
        record = lab.record(model, "model", name="model", parents=[(parent.id, "trained-on")])
        yield lab, record, model, lab.publish(record.id, folder / "published")
    finally:
        lab.stop_devnet()


@pytest.fixture
def trust(recorded):
    lab = recorded[0]
    return Trust(registry=lab.registry.address, network="devnet", rpc=lab.node_url(), groups=(1,))


def outcomes(report):
    return {check.name: check.verdict for check in report.checks}


def test_a_record_and_its_files_are_verified(recorded, trust):
    _, record, model, published = recorded
    report = verify(record.id, trust, copies=published)
    assert report.verified
    assert f"committed to model 'model', file {record.subject}" in report.proves[0]
    assert {outcomes(report)[name] for name in ("manifest", "subject", "parents")} == {Outcome.PASS}
    assert verify(model, trust, record=record.id).verified
    assert [view.id for view in verify(str(model), trust).records] == [record.id]


def test_without_copies_what_needs_them_is_unknown(recorded, trust):
    checks = outcomes(verify(recorded[1].id, trust))
    assert (checks["manifest"], checks["subject"], checks["id"]) == (Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.PASS)


def test_another_chain_group_or_target_is_refused(recorded, trust, tmp_path):
    _, record, model, _ = recorded
    node = {"registry": trust.registry, "rpc": trust.rpc}
    with pytest.raises(InputError, match="expected a node of chain 1, got one of chain 77787"):
        verify(record.id, Trust(chain_id=1, **node))
    with pytest.raises(InputError, match="got no contract"):
        open_registry(Trust(network="devnet", registry="0x" + "11" * 20, rpc=trust.rpc))
    with pytest.raises(InputError, match="Give `rpc`"):
        open_registry(Trust(network="devnet", registry=trust.registry))
    other = Trust(network="devnet", groups=(2,), **node)
    assert [check.name for check in verify(record.id, other).failed] == ["group"]
    assert not verify(record.id, other).proves
    assert not verify(model, other).records
    for target, more in ((tmp_path / "none", {}), ("none", {}), (record.id, {"record": record.id})):
        with pytest.raises(InputError):
            verify(target, trust, **more)


def test_ids_and_registries_are_those_of_the_lab(recorded, trust):
    lab, record, _, _ = recorded
    view = open_registry(trust).find_record(record.id)
    assert record_id(view.key, trust) == record.id
    assert [link.parent for link in view.parents]
    colleague = lab.open_colleague(lab.folder / "colleague")
    assert colleague.create_group("Another lab") == 2
    colleague.attest(record.id, "reviewed")
    assert open_registry(trust).status(record.id).reviewed == 1


def test_the_example_needs_an_id_and_no_home(recorded, tmp_path, monkeypatch):
    lab, record, _, published = recorded
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    monkeypatch.delenv("BLOCKCHAINTRACER_HOME", raising=False)
    command = [sys.executable, ROOT / "examples" / "verify" / "check_record.py"]
    command += [record.id, lab.registry.address, lab.node_url(), published]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pass     manifest" in done.stdout
    assert "It does not prove that a result is right" in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_example_is_short_and_named_by_a_page():
    lines = (ROOT / "examples" / "verify" / "check_record.py").read_text().partition("import sys\n")[2].splitlines()
    assert len([line for line in lines if line]) <= 10
    assert "(../examples/verify/check_record.py)" in (ROOT / "docs" / "api.md").read_text()


def test_a_damaged_or_changing_copy_does_not_count(recorded, trust, tmp_path):
    from shutil import copytree

    _, record, _, published = recorded
    copytree(published, tmp_path / "copy")
    file = tmp_path / "copy" / "objects" / record.subject[:2] / record.subject[2:]
    file.chmod(0o600)
    file.write_text("weighty\n")
    report = verify(record.id, trust, copies=tmp_path / "copy")
    assert not report.verified
    assert outcomes(report)["subject"] is Outcome.FAIL


def test_a_verifier_loads_nothing_of_a_lab():
    program = (
        "import sys, blockchaintracer as b; b.verify, b.Trust, b.open_registry\n"
        "lab = ('blockchaintracer.lab.', 'blockchaintracer.extras', 'blockchaintracer.cli', 'sqlite3')\n"
        "sys.exit(str([name for name in sys.modules if name.startswith(lab)]) if any(\n"
        "    name.startswith(lab) for name in sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
