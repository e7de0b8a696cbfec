"""A community's address book: made, signed, added, updated; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata

from blockchaintracer.cli import main
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Domain, Kind, Role
from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.extras.community import book as of_book
from blockchaintracer.extras.community import kept_books, make_book
from blockchaintracer.extras.community.book import read_book
from blockchaintracer.extras.community.kept_books import (
    add_book,
    find_book,
    group_checks,
    remove_book,
    update_book,
    words,
)
from blockchaintracer.lab.bundle.export_proof import export_proof
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import shared_lab
from tests.support.serving import serving

NOW = datetime.now(UTC)
REGISTRY, OTHER = "0x" + "12" * 20, "0x" + "34" * 20
CONTENT = {
    "name": "LIGO Scientific Collaboration",
    "registries": [
        {"chainId": "1", "registry": REGISTRY, "name": "LIGO", "groups": [{"group": 3, "name": "Hanford"}]},
        {"chainId": "8453", "registry": OTHER, "name": "Virgo"},
    ],
}


class Keepers:
    """People with keys, and the file that they keep."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.file = folder, folder / "community.json"
        (folder / "passphrase").write_text("four or five random words\n")
        monkeypatch.setenv("BLOCKCHAINTRACER_PASSPHRASE_FILE", str(folder / "passphrase"))

    def key(self, name: str) -> Path:
        """The public key of a person, made once."""
        path = self.folder / f"{name}.pem"
        if not path.exists():
            make_book.make_key(path, None)
        return self.folder / f"{name}.pem.pub"

    def new(self, *names: str, content: Any = CONTENT, threshold: int = 2, now: datetime = NOW, **more: Any) -> None:
        (self.folder / "content.json").write_text(json.dumps(content))
        keys = [self.key(name) for name in names]
        make_book.make_book(self.file, self.folder / "content.json", keys=keys, threshold=threshold, now=now, **more)

    def sign(self, *names: str) -> bytes:
        for name in names:
            make_book.sign_book(self.file, self.folder / f"{name}.pem", None)
        return self.file.read_bytes()

    def read(self, **more: Any) -> of_book.Book:
        return read_book(self.file.read_bytes(), now=NOW, **more)


@pytest.fixture
def keepers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keepers:
    return Keepers(tmp_path, monkeypatch)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def signed(keepers: Keepers) -> bytes:
    keepers.new("alice", "bob", "carol")
    return keepers.sign("alice", "bob")


def test_a_book_is_made_signed_and_read(keepers: Keepers) -> None:
    signed(keepers)
    book = keepers.read()
    assert (book.name, book.version, book.root_version, book.signers) == (CONTENT["name"], 1, 1, "2 of 3")
    ligo, virgo = book.registries
    assert (ligo.group_name(3), ligo.counts(3), ligo.counts(4)) == ("Hanford", True, False)
    assert virgo.counts(4)
    key = (keepers.folder / "alice.pem").read_text()
    assert "ENCRYPTED" in key
    assert (keepers.folder / "alice.pem").stat().st_mode & 0o077 == 0


def test_too_few_signatures_and_one_that_counts_once(keepers: Keepers) -> None:
    keepers.new("alice", "bob", "carol")
    keepers.sign("alice", "alice")
    with pytest.raises(NotVerified, match=r"root 1 .* has too few signatures by its own keys") as refused:
        keepers.read()
    assert "community sign" in str(refused.value.hint)
    keepers.key("mallory")
    with pytest.raises(InputError, match="key that the address book names"):
        keepers.sign("mallory")


def test_a_threshold_above_the_number_of_keys_is_refused(keepers: Keepers) -> None:
    with pytest.raises(InputError, match="a threshold of at most 2, the number of keys, got 3"):
        keepers.new("alice", "bob", threshold=3)
    assert not keepers.file.exists()


def test_a_key_under_two_names_counts_once(keepers: Keepers) -> None:
    """One person names one key twice, and signs for both."""
    signer = CryptoSigner.generate_ed25519()
    keepers.new("alice", "bob")
    plain = json.loads(keepers.file.read_bytes())
    root = Metadata.from_dict(plain["roots"][0])
    twice = signer.public_key.to_dict()
    key_type: Any = type(signer.public_key)
    root.signed.keys.clear()
    for role in ("root", "targets"):
        root.signed.roles[role].keyids.clear()
    for keyid in ("a" * 64, "b" * 64):
        root.signed.add_key(key_type.from_dict(keyid, {**twice, "keyval": dict(twice["keyval"])}), "root")
        root.signed.add_key(key_type.from_dict(keyid, {**twice, "keyval": dict(twice["keyval"])}), "targets")
    targets = Metadata.from_dict(plain["targets"])
    for metadata in (root, targets):
        signature = signer.sign(metadata.signed_bytes)
        metadata.signatures.clear()
        for keyid in ("a" * 64, "b" * 64):
            metadata.signatures[keyid] = type(signature)(keyid, signature.signature)
    plain |= {"roots": [root.to_dict()], "targets": targets.to_dict()}
    with pytest.raises(NotVerified, match="under two names"):
        read_book(canonical(plain), now=NOW)


def test_keys_of_one_book_do_not_sign_another(
    keepers: Keepers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = json.loads(signed(keepers))
    (tmp_path / "other").mkdir()
    others = Keepers(tmp_path / "other", monkeypatch)
    theirs = json.loads(signed(others))
    for part in ("roots", "targets"):
        with pytest.raises(NotVerified):
            read_book(canonical({**ours, part: theirs[part]}), now=NOW)
    evil = {**CONTENT, "registries": [{"chainId": "1", "registry": OTHER, "name": "LIGO"}]}
    with pytest.raises(NotVerified, match="not the one that its keys signed"):
        read_book(canonical({**ours, "book": evil}), now=NOW)


def test_the_first_root_is_version_one(keepers: Keepers) -> None:
    plain = json.loads(signed(keepers))
    root = Metadata.from_dict(plain["roots"][0])
    root.signed.version = 2
    root.signatures.clear()
    for name in ("alice", "bob"):
        root.sign(make_book._signer(keepers.folder / f"{name}.pem", None), append=True)
    with pytest.raises(NotVerified, match="says that it is version 2"):
        read_book(canonical({**plain, "roots": [root.to_dict()]}), now=NOW)


def test_each_changed_byte_is_refused(keepers: Keepers) -> None:
    data = signed(keepers)
    honest = keepers.read()
    for at in range(0, len(data), 29):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises((NotVerified, InputError)):
            assert read_book(bytes(changed), now=NOW) == honest


def test_a_next_version_and_a_rollback(keepers: Keepers, home: Home) -> None:
    old = signed(keepers)
    kept = add_book(home, str(keepers.file), lambda book, warnings: None, alias="ligo")
    keepers.new(content={**CONTENT, "registries": CONTENT["registries"][:1]})
    with pytest.raises(NotVerified, match="0 valid signatures"):
        update_book(home, "ligo")
    keepers.sign("bob", "carol")
    before, after = update_book(home, "ligo")
    assert (before.book.version, after.book.version) == (1, 2)
    assert len(find_book(home, "ligo").book.registries) == 1
    keepers.file.write_bytes(old)
    with pytest.raises(NotVerified, match="a rollback"):
        update_book(home, "ligo")
    assert find_book(home, "ligo").book.version == 2
    assert kept.book.fingerprint == after.book.fingerprint


def test_two_contents_of_one_version(keepers: Keepers, home: Home) -> None:
    signed(keepers)
    add_book(home, str(keepers.file), lambda book, warnings: None, alias="ligo")
    first = keepers.file.read_bytes()
    keepers.new(content={**CONTENT, "registries": []})
    keepers.sign("alice", "bob")
    update_book(home, "ligo")
    keepers.file.write_bytes(first)
    keepers.new(content={**CONTENT, "registries": CONTENT["registries"][1:]})
    keepers.sign("alice", "bob")
    with pytest.raises(NotVerified, match="another content under the version 2"):
        update_book(home, "ligo")


def test_keys_are_replaced_by_the_keys_before(keepers: Keepers, home: Home) -> None:
    signed(keepers)
    add_book(home, str(keepers.file), lambda book, warnings: None, alias="ligo")
    keepers.new("dora", "erik")
    keepers.sign("dora", "erik")
    with pytest.raises(
        NotVerified, match="root 2 of the address book has too few signatures by the keys that the version"
    ):
        update_book(home, "ligo")
    keepers.sign("alice", "carol")
    assert update_book(home, "ligo")[1].book.root_version == 2
    # a book of other keys from the start is another one
    keepers.file.unlink()
    keepers.new("alice", "mallory")
    keepers.sign("alice", "mallory")
    with pytest.raises(NotVerified, match="begins with the root"):
        update_book(home, "ligo")


def test_a_root_that_was_accepted_stays(keepers: Keepers, home: Home) -> None:
    first = signed(keepers)
    add_book(home, str(keepers.file), lambda book, warnings: None, alias="ligo")
    keepers.new("alice", "bob")
    keepers.sign("alice", "bob")
    update_book(home, "ligo")
    keepers.file.write_bytes(first)
    keepers.new("alice", "mallory")
    keepers.sign("alice", "bob", "mallory")
    with pytest.raises(NotVerified, match="another root than version 2"):
        update_book(home, "ligo")
    keepers.file.write_bytes(first)
    with pytest.raises(NotVerified, match="an older root version 2"):
        update_book(home, "ligo")


def test_an_expired_book_counts_no_more(keepers: Keepers, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    signed(keepers)
    add_book(home, str(keepers.file), lambda book, warnings: None, alias="ligo")
    later = NOW + timedelta(days=367)
    monkeypatch.setattr(kept_books, "utc_now", lambda: later)
    [word] = words(home, Domain(1, REGISTRY), [3])
    assert word.expired
    assert "counts no more" in "".join(word.lines())
    with pytest.raises(InputError, match="expired"):
        group_checks(home, "ligo", Domain(1, REGISTRY), [("0x1", 3)])
    with pytest.raises(InputError, match="expired"):
        update_book(home, "ligo")


def test_a_freeze_has_an_end(keepers: Keepers) -> None:
    """A book that expires in many years would let old versions count for as long."""
    with pytest.raises(InputError, match="1 to 400 days"):
        keepers.new("alice", "bob", days=401)
    keepers.new("alice", "bob", now=NOW + timedelta(days=50))
    keepers.sign("alice", "bob")
    with pytest.raises(NotVerified, match="too far from now"):
        keepers.read()


@pytest.mark.parametrize(
    "name",
    [
        "LIGO Scientific Col\u200blaboration",
        "L\u0406GO Scientific Collaboration",
        "e\u0301",
        "",
        " LIGO",
        "a\nb",
        "x" * 300,
    ],
)
def test_names_that_hide_something(keepers: Keepers, name: str) -> None:
    with pytest.raises((NotVerified, InputError)):
        keepers.new("alice", "bob", content={**CONTENT, "name": name})


def test_a_community_that_imitates_another(
    keepers: Keepers, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed(keepers)
    add_book(home, str(keepers.file), lambda book, warnings: None, alias="ligo")
    (tmp_path / "evil").mkdir()
    others = Keepers(tmp_path / "evil", monkeypatch)
    entries = [{"chainId": "1", "registry": OTHER, "name": "L1GO"}]
    others.new("mallory", threshold=1, content={"name": "L1GO Scientific Collaboration", "registries": entries})
    others.sign("mallory")
    for alias in (None, "l1go", "other"):
        with pytest.raises(InputError, match="looks like the community ligo"):
            add_book(home, str(others.file), lambda book, warnings: None, alias=alias)
    others.file.unlink()
    others.new("mallory", threshold=1, content={"name": "Another", "registries": entries})
    others.sign("mallory")
    told: list[str] = []
    add_book(home, str(others.file), lambda book, warnings: told.extend(warnings))
    assert "ligo names another registry so" in told[0]
    with pytest.raises(InputError, match="is the community ligo"):
        add_book(home, str(keepers.file), lambda book, warnings: None, alias="ligo")


@pytest.mark.parametrize(
    "registries",
    [
        [{"chainId": "1", "registry": REGISTRY, "name": "a"}] * 2,
        [{"chainId": "1", "registry": REGISTRY, "name": "a"}, {"chainId": "1", "registry": OTHER, "name": "A"}],
        [{"chainId": "01", "registry": REGISTRY, "name": "a"}],
        [{"chainId": 1, "registry": REGISTRY, "name": "a"}],
        [{"chainId": "1", "registry": REGISTRY.upper(), "name": "a"}],
        [{"chainId": "1", "registry": REGISTRY, "name": "a", "more": 1}],
        [{"chainId": "1", "registry": REGISTRY, "name": "a", "groups": [{"group": 0, "name": "b"}]}],
        [{"chainId": "1", "registry": REGISTRY, "name": "a", "groups": [{"group": 1, "name": "b"}] * 2}],
        [{"chainId": "1", "registry": REGISTRY, "name": "a", "groups": {}}],
        {},
        ["a"],
    ],
)
def test_content_that_nobody_can_use(keepers: Keepers, registries: Any) -> None:
    with pytest.raises(NotVerified):
        keepers.new("alice", "bob", content={"name": "LIGO", "registries": registries})


def test_a_fingerprint_takes_the_place_of_the_question(keepers: Keepers, home: Home) -> None:
    signed(keepers)

    def refuse(book: of_book.Book, warnings: list[str]) -> None:
        raise InputError("asked")

    with pytest.raises(InputError, match="asked"):
        add_book(home, str(keepers.file), refuse)
    with pytest.raises(NotVerified, match="begins with the root"):
        add_book(home, str(keepers.file), refuse, fingerprint="00" * 32)
    assert not kept_books.kept_books(home)
    kept = add_book(home, str(keepers.file), refuse, fingerprint=keepers.read().fingerprint)
    assert kept.alias == "ligo-scientific-collaboration"
    remove_book(home, kept.alias)
    assert not kept_books.kept_books(home)


def test_a_community_takes_no_name_that_looks_like_another_later(
    keepers: Keepers, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed(keepers)
    add_book(home, str(keepers.file), lambda book, warnings: None, alias="ligo")
    (tmp_path / "evil").mkdir()
    others = Keepers(tmp_path / "evil", monkeypatch)
    others.new("mallory", threshold=1, content={"name": "Kagra", "registries": []})
    others.sign("mallory")
    add_book(home, str(others.file), lambda book, warnings: None)
    others.new(content={"name": "LIG0 Scientific Collaboration", "registries": []})
    others.sign("mallory")
    with pytest.raises(InputError, match="looks like ligo"):
        update_book(home, "kagra")
    assert find_book(home, "kagra").book.name == "Kagra"


def test_a_damaged_book_can_be_removed(keepers: Keepers, home: Home) -> None:
    signed(keepers)
    add_book(home, str(keepers.file), lambda book, warnings: None, alias="ligo")
    file = home.path / "communities" / "ligo.json"
    file.write_bytes(file.read_bytes().replace(b"Hanford", b"Hanfort"))
    with pytest.raises(NotVerified, match="not the one that its keys signed"):
        find_book(home, "ligo")
    remove_book(home, "ligo")
    with pytest.raises(InputError, match="known: none"):
        find_book(home, "ligo")


def test_whose_word_it_is_and_what_counts(keepers: Keepers, home: Home) -> None:
    signed(keepers)
    add_book(home, str(keepers.file), lambda book, warnings: None, alias="ligo")
    domain = Domain(1, REGISTRY)
    [word] = words(home, domain, [3, 4])
    lines = [*word.lines()]
    assert lines[0].startswith(
        f"registry {REGISTRY} is named 'LIGO' by the address book of 'LIGO Scientific Collaboration'"
    )
    assert "version 1, expires" in lines[0]
    assert lines[1:] == ["group 3 is named 'Hanford' by the same address book"]
    checks = group_checks(home, "ligo", domain, [("0x1", 3), ("0x2", 4)])
    assert [check.verdict for check in checks] == [Outcome.PASS, Outcome.FAIL]
    [check] = group_checks(home, "ligo", Domain(1, "0x" + "56" * 20), [("0x1", 3)])
    assert check.verdict is Outcome.FAIL
    # the same address on another chain is another registry
    assert not words(home, Domain(2, REGISTRY), [3])


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: plain.pop("targets"),
        lambda plain: plain.update(roots=[]),
        lambda plain: plain.update(roots=plain["roots"] * 65),
        lambda plain: plain.update(roots=plain["roots"] * 2),
        lambda plain: plain.update(more=1),
        lambda plain: plain["roots"][0].update(more=1),
        lambda plain: plain["roots"][0]["signed"].update(_type="targets"),
        lambda plain: plain["targets"].update(signatures=plain["targets"]["signatures"] * 2),
        lambda plain: plain["roots"][0]["signed"].update(version="1"),
        lambda plain: plain.update(targets=[]),
    ],
)
def test_what_is_no_book(keepers: Keepers, change: Callable[[Any], Any]) -> None:
    plain = json.loads(signed(keepers))
    change(plain)
    with pytest.raises((InputError, NotVerified)):
        read_book(canonical(plain), now=NOW)


def test_the_verbs_and_what_verify_says(keepers: Keepers, tmp_path: Path) -> None:
    with shared_lab(tmp_path / "shared") as lab:
        (tmp_path / "data.csv").write_text("1\n")
        record = record_content(lab, Kind.DATASET, tmp_path / "data.csv")
        export_proof(lab, [record.id], tmp_path / "it.proof")
        home, group = ("--home", str(lab.home.path)), lab.group(Role.RECORDER)
        registry = {"chainId": str(lab.chain_id), "registry": lab.domain.registry.lower(), "name": "LIGO"}
        trusting = {**registry, "groups": [{"group": group, "name": "Hanford"}]}
        others = {**registry, "groups": [{"group": group + 1, "name": "Livingston"}]}
        for name, entry in (("ligo", trusting), ("virgo", others), ("kagra", {**registry, "registry": OTHER})):
            keepers.new("alice", threshold=1, content={"name": name, "registries": [entry]})
            keepers.sign("alice")
            keepers.file.rename(tmp_path / f"{name}.json")

        def typed(*words: str, **more: Any) -> Any:
            return CliRunner().invoke(main, [*words, *home], **more)

        asked = typed("community", "add", str(tmp_path / "ligo.json"), input="n\n")
        assert asked.exit_code == 6, asked.output
        assert "fingerprint" in asked.output
        for name in ("ligo", "virgo", "kagra"):
            assert typed("community", "add", str(tmp_path / f"{name}.json"), "--yes").exit_code == 0
        listed = json.loads(typed("community", "list", "--json").stdout)
        assert [it["community"] for it in listed["communities"]] == ["kagra", "ligo", "virgo"]

        plain = typed("verify", record.id)
        assert plain.exit_code == 0, plain.output
        told = " ".join(plain.output.split())
        assert "is named 'LIGO' by the address book of 'ligo' (ligo), version 1, expires" in told
        assert f"group {group} is named 'Hanford' by the same address book" in told
        proof = ("verify", "--proof", str(tmp_path / "it.proof"), "--network", "devnet")
        for words in (("verify", record.id), proof):
            codes = {name: typed(*words, "--community", name).exit_code for name in ("ligo", "virgo", "kagra", "other")}
            assert codes == {"ligo": 0, "virgo": 1, "kagra": 1, "other": 2}, words
        shown = json.loads(typed(*proof, "--json").stdout)
        assert {it["community"] for it in shown["communities"]} == {"ligo", "virgo"}
        assert typed("community", "update", "ligo").exit_code == 0
        assert typed("community", "remove", "ligo").exit_code == 0
        assert typed("verify", record.id, "--community", "ligo").exit_code == 2


def test_an_address_book_from_a_server(keepers: Keepers, home: Home) -> None:
    data, asked = signed(keepers), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = b"" if self.path == "/elsewhere" else data
            self.send_response(200 if body else 302)
            self.send_header("Location", "/community.json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with serving(Handler) as url:
        with pytest.raises(InputError, match="https"):
            add_book(home, f"{url}/community.json", lambda book, warnings: None)
        with pytest.raises(ChainUnavailable, match="302"):
            add_book(home, f"{url}/elsewhere", lambda book, warnings: None, allow_local=True)
        kept = add_book(home, f"{url}/community.json", lambda book, warnings: None, allow_local=True)
        assert kept.source == f"{url}/community.json"
        assert update_book(home, kept.alias, allow_local=True)[1].book.version == 1
    with pytest.raises(ChainUnavailable):
        update_book(home, kept.alias, allow_local=True)
