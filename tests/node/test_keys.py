"""Keys: made, taken in, listed, replaced, backed up; and everything that signs is checked before it is used."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from blockchaintracer.core.errors import InputError, KeyStoreError, NotVerified
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Kind, Role
from blockchaintracer.lab.formats import BACKUP
from blockchaintracer.lab.groups import create_group, invite, join
from blockchaintracer.lab.keys import (
    COMMAND,
    KEY,
    PASSPHRASE_FILE,
    PRIVATE_KEY,
    CheckedSigner,
    CommandSigner,
    KeyStore,
)
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.age import decrypt, encrypt, recipient_of
from blockchaintracer.lab.private.backup import back_up, restore
from blockchaintracer.lab.private.identities import EncryptionKeys
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.rotation import rotate
from blockchaintracer.lab.seals import sealing
from tests.support.labs import ROOT, typed, verb

SERVICE = ROOT / "examples" / "signers" / "key_service.py"
PASSPHRASE = "correct horse"


@pytest.fixture(scope="module")
def passphrase(tmp_path_factory):
    path = tmp_path_factory.mktemp("passphrase") / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return str(path)


@pytest.fixture(scope="module")
def kept(tmp_path_factory, passphrase):
    """A folder with a signing key and an encryption key, both made by the verbs."""
    home = tmp_path_factory.mktemp("keys") / "home"
    for more in ([], ["--encryption"]):
        done = typed("keys", "create", "mine", *more, "--json", home=home, **{PASSPHRASE_FILE: passphrase})
        assert done.returncode == 0, done.stderr
    return home


def signed_by(program: Path, body: str) -> str:
    program.write_text(f"#!{sys.executable}\nimport json, sys\nrequest = json.load(sys.stdin)\n{body}\n")
    program.chmod(0o700)
    return f"{COMMAND}{program}"


# -- the verbs


def test_both_sorts_are_encrypted_at_rest_and_only_public_halves_are_shown(kept, passphrase):
    told = json.loads(typed("keys", "list", "--json", home=kept).stdout)
    [signing], [decrypting] = told["keys"], told["encryption"]
    address = typed("keys", "export", "mine", home=kept).stdout.strip()
    recipient = typed("keys", "export", "mine", "--encryption", home=kept).stdout.strip()
    assert (signing["address"], decrypting["recipient"]) == (address, recipient)
    recipient_of(recipient)
    os.environ[PASSPHRASE_FILE] = passphrase
    try:
        identities = EncryptionKeys(Home(kept)).identities(["mine"])
        assert decrypt(encrypt(b"x", [recipient]), identities) == b"x"
        secret = str(identities[0])
    finally:
        del os.environ[PASSPHRASE_FILE]
    for path in kept.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
            assert path.stat().st_mode & 0o077 == 0 or path.name in (".gitignore", ".lock"), path


def test_a_key_comes_from_a_file_or_standard_input_and_is_never_shown(tmp_path, passphrase):
    home, account = Home(tmp_path / "home"), Account.create()
    key = account.key.hex()
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home.path), PASSPHRASE_FILE: passphrase}
    command = [sys.executable, "-m", "blockchaintracer", "keys", "import"]
    done = subprocess.run([*command, "typed"], input=key, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert account.address in done.stdout
    assert key not in done.stdout + done.stderr
    keystore = tmp_path / "keystore.json"
    keystore.write_text(json.dumps(Account.encrypt(account.key, "another", iterations=2**12)))
    done = typed("keys", "import", "whole", "--from", str(keystore), home=home.path)
    assert done.returncode == 0, done.stderr
    assert (home.keys / "whole.json").read_text() == keystore.read_text()
    for wrong in (key[:-1], key + "00", "{}", '{"version": 3}', "", "0x" + "00" * 32, "[" * 10000):
        with pytest.raises(KeyStoreError) as refused:
            KeyStore(home, lambda _: PASSPHRASE).import_key("wrong", wrong, "a file")
        assert "wrong.json" not in os.listdir(home.keys)
        assert not (wrong and wrong in str(refused.value))
    with pytest.raises(KeyStoreError, match="exists already"):
        KeyStore(home, lambda _: PASSPHRASE).import_key("typed", key, "a file")


def test_an_identity_is_taken_in_and_an_ssh_key_is_used_where_it_lies(tmp_path, passphrase, monkeypatch):
    monkeypatch.setenv(PASSPHRASE_FILE, passphrase)
    keys = EncryptionKeys(Home(tmp_path / "home"))
    ssh = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ssh)], check=True)
    recipient = ssh.with_suffix(".pub").read_text()
    assert decrypt(encrypt(b"to ssh", [recipient]), keys.identities([str(ssh)])) == b"to ssh"
    for text in (ssh.read_text(), "AGE-SECRET-KEY-1NONE", "", "\0"):
        with pytest.raises(KeyStoreError):
            keys.import_key("wrong", text, "a file")
    with pytest.raises(InputError, match="private key") as refused:
        encrypt(b"x", [ssh.read_text()])
    assert "OPENSSH" not in str(refused.value)
    assert keys.names() == []


def test_a_backup_brings_everything_back_and_replaces_nothing(kept, tmp_path, passphrase):
    archive = tmp_path / "keys.backup"
    (kept / "seals").mkdir(exist_ok=True)
    seal = f"seals/{'ab' * 32}.json"
    (kept / seal).write_text('{"salt": "secret"}')
    done = typed("keys", "backup", str(archive), home=kept, **{PASSPHRASE_FILE: passphrase})
    assert done.returncode == 0, done.stderr
    assert b"secret" not in archive.read_bytes()
    assert archive.stat().st_mode & 0o077 == 0
    other = tmp_path / "other"
    done = typed("keys", "restore", str(archive), home=other, **{PASSPHRASE_FILE: passphrase})
    assert done.returncode == 0, done.stderr
    for name in ("keys/mine.json", "encryption-keys/mine.age", "encryption-keys/mine.pub", seal):
        assert (other / name).read_bytes() == (kept / name).read_bytes()
    (other / "keys" / "mine.json").write_text("{}")
    done = typed("keys", "restore", str(archive), home=other, **{PASSPHRASE_FILE: passphrase})
    assert done.returncode == 2
    assert (other / "keys" / "mine.json").read_text() == "{}"
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    done = typed("keys", "restore", str(archive), home=tmp_path / "third", **{PASSPHRASE_FILE: str(wrong)})
    assert done.returncode == 2
    assert "does not open" in done.stderr


def test_a_backup_to_a_recipient_and_one_that_is_none(kept, tmp_path):
    from blockchaintracer.lab.private.age import new_identity

    identity, recipient = new_identity()
    back_up(Home(kept), tmp_path / "backup", recipients=[recipient])
    assert "keys/mine.json" in restore(Home(tmp_path / "new"), tmp_path / "backup", identities=[identity], ask=str)
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        head = tarfile.TarInfo("backup.json")
        head.size = len(content := canonical(BACKUP.header()))
        archive.addfile(head, io.BytesIO(content))
        for name in ("../outside", "keys/../../outside", "/outside", "store/x"):
            archive.addfile(tarfile.TarInfo(name))
    (tmp_path / "hostile").write_bytes(encrypt(out.getvalue(), [recipient]))
    with pytest.raises(NotVerified):
        restore(Home(tmp_path / "victim"), tmp_path / "hostile", identities=[identity], ask=str)
    assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize(
    "names",
    [
        ["keys/../outbox.sqlite"],
        ["keys/./../outbox.sqlite"],
        ["keys//a"],
        ["keys/.hidden"],
        ["keys"],
        ["settings.json/a"],
        ["keys\\..\\outbox.sqlite"],
        ["keys/a", "keys/a"],
    ],
)
def test_a_strangers_backup_plants_no_other_file_of_the_home(tmp_path, names):
    """Only the first part of each name was looked at: `keys/../outbox.sqlite` put a stranger's outbox into the lab."""
    import io
    import tarfile

    from blockchaintracer.lab.private.age import new_identity

    identity, recipient = new_identity()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        head = tarfile.TarInfo("backup.json")
        head.size = len(content := canonical(BACKUP.header()))
        archive.addfile(head, io.BytesIO(content))
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    (tmp_path / "hostile").write_bytes(encrypt(out.getvalue(), [recipient]))
    with pytest.raises(NotVerified, match="a backup"):
        restore(Home(tmp_path / "victim"), tmp_path / "hostile", identities=[identity], ask=str)
    assert not [path for path in (tmp_path / "victim").rglob("*") if path.is_file()]


# -- who signs


def test_a_program_signs_transactions_and_invitations(lab, file, tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    pem = tmp_path / "key.pem"
    subprocess.run([openssl, "ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", str(pem)], check=True)
    other = Lab(Home(tmp_path / "home"), rpc=lab.devnet.start().url, registry_address=lab.registry.address)
    other.key_name = f"{COMMAND}{sys.executable} {SERVICE} openssl {pem}"
    lab.devnet.fund(other.signer.address, 10**20)
    group = create_group(other, "Signed elsewhere").group
    recorded = record_content(other, Kind.DATASET, file)
    assert recorded.author == other.signer.address
    # an invitation is typed data; the account that it is for accepts it
    guest = join(lab, invite(other, group, lab.signer.address, Role.REVIEWER))
    assert guest.is_on_chain
    assert lab.registry.membership(group, lab.signer.address).roles == Role.REVIEWER
    lab.choose(group=1)
    assert "command" not in other.home.settings.read_text()


def test_the_environment_signs_and_tells_nobody(lab, file, tmp_path, monkeypatch):
    account = Account.create()
    lab.devnet.fund(account.address, 10**20)
    monkeypatch.setenv(PRIVATE_KEY, account.key.hex())
    home = tmp_path / "home"
    url = lab.devnet.start().url
    program = f"import os; open({str(tmp_path / 'seen')!r}, 'w').write(repr(dict(os.environ)))"
    words = ["--rpc", url, "--registry", lab.registry.address]
    outputs = [
        verb("group", "create", "CI", *words, home=home),
        verb("record", "--dataset", str(file), *words, "--json", "--", sys.executable, "-c", program, home=home),
        verb("status", *words, home=home),
    ]
    for done in outputs:
        assert done.returncode == 0, done.stderr
        assert account.key.hex() not in done.stdout + done.stderr
    assert json.loads(outputs[1].stdout)["records"][-1]["author"] == account.address
    assert account.key.hex() not in (tmp_path / "seen").read_text()
    for path in home.rglob("*"):
        assert not path.is_file() or account.key.hex().encode() not in path.read_bytes(), path
    monkeypatch.setenv(PRIVATE_KEY, account.key.hex()[:-1] + "g")
    done = verb("record", "--dataset", str(file), *words, home=tmp_path / "home2")
    assert done.returncode == 2
    assert account.key.hex()[:-1] not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "body",
    [
        "",
        "print('no JSON')",
        "print('[]')",
        "print(json.dumps({'address': 7}))",
        "print(json.dumps({'address': '0x12'}))",
        "sys.exit(3)",
        "print('{' * 100000)",
        "print('\"' + 'x' * 100000 + '\"')",
    ],
)
def test_a_program_that_answers_nonsense_is_refused(tmp_path, body):
    signer = CommandSigner(signed_by(tmp_path / "signer", body).removeprefix(COMMAND))
    with pytest.raises(KeyStoreError):
        CheckedSigner(signer)


@pytest.mark.parametrize("command", ["", "relative", "'", "./relative", "/no/such/program"])
def test_a_program_has_a_whole_path(command):
    with pytest.raises((KeyStoreError, ValueError)):
        CheckedSigner(CommandSigner(command))


# -- replacing a key


def test_a_key_is_replaced_in_what_it_may_hand_over(lab, file, tmp_path):
    old = Lab(Home(tmp_path / "home"), rpc=lab.devnet.start().url, registry_address=lab.registry.address)
    old.key_name = "old"
    lab.devnet.fund(old.signer.address, 10**20)
    before = old.signer.address
    own = create_group(old, "To hand over").group
    # in the other lab's group it is a maintainer, and can't hand that on
    join(old, invite(lab, 1, before, Role.MAINTAINER | Role.RECORDER))
    with sealing(old):
        old.choose(group=own)
        seal = record_content(old, Kind.DATASET, file)
    taking = KeyStore(old.home).create("new", devnet=True)
    with pytest.raises(InputError, match="no coin"):
        rotate(old, "old", "new")
    lab.devnet.fund(taking.address, 10**20)
    done = rotate(old, "old", "new")
    mine, theirs = sorted(done.groups, key=lambda one: one.group, reverse=True)
    assert (mine.group, mine.owner, theirs.group) == (own, True, 1)
    registry = lab.registry
    assert registry.group(own).owner == taking.address
    now = lab.chain.head().timestamp
    for role in Role:
        assert registry.membership(own, taking.address).holds(role, now)
    # the seal can only be revealed by the old key as a recorder: it stays one until then
    assert not mine.old_ended
    assert "reveal" in mine.left[0]
    assert registry.membership(own, before).holds(Role.RECORDER, now)
    # nobody but the owner of group 1 can make another maintainer
    assert registry.membership(1, taking.address).roles == Role.RECORDER
    assert any(lab.signer.address in what for what in theirs.left)
    assert registry.membership(1, before).holds(Role.MAINTAINER, now)
    from blockchaintracer.lab.seals import reveal

    giving = Lab(old.home, rpc=old.rpc, registry_address=registry.address, key_name="old")
    giving.choose(group=own)
    reveal(giving, seal.commitment)
    again = rotate(old, "old", "new")
    assert next(one for one in again.groups if one.group == own).old_ended
    assert not registry.membership(own, before).holds(Role.RECORDER, lab.chain.head().timestamp)
    # from now on the new key signs without being named
    assert Lab(old.home, rpc=old.rpc).signer.address == taking.address
    assert KEY not in os.environ
