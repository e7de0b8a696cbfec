"""Somebody claims to be somebody else: by a name that looks alike, by a page that is not the right one, by a claim that
was made for another registry, chain, group or account."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.record import Domain
from blockchaintracer.extras.identity import ror
from blockchaintracer.extras.identity.identifiers import normal, parse_identifier
from blockchaintracer.extras.identity.identifiers import ror as ror_id
from blockchaintracer.extras.identity.identity_claims import check_claim, require_timely, title
from blockchaintracer.extras.identity.identity_page import page
from blockchaintracer.extras.identity.other_side import Asking, Named, methods
from tests.fast.test_identity_claims import DOMAIN, MEMBER, REGISTRY, key_of, manifest_of, signed, statement
from tests.support.other_sides import other_sides

NOW = 1_700_000_000
LOCAL = Asking(allow_local=True)
HERE = f"eip155:1:{REGISTRY}"
ACCOUNT = f"{HERE}/account/{MEMBER.address.lower()}"
NAMES = {"orcid": "0000-0002-1825-0097", "domain": "example.org", "github": "octocat", "ens": "name.eth"}


def judged(scheme: str, data: Any, at: int = NOW, **fields: Any) -> Any:
    said = statement(scheme=scheme, identifier=NAMES[scheme], **fields)
    way = methods(scheme)[0]
    return way.names(data if isinstance(data, bytes) else json.dumps(data).encode(), said, at)


def person(*urls: str, orcid: str = NAMES["orcid"], **changed: Any) -> dict[str, Any]:
    entries = [{"url": {"value": url}, "visibility": "public", **changed} for url in urls]
    return {"path": f"/{orcid}/person", "researcher-urls": {"researcher-url": entries}}


# -- names


@pytest.mark.fast
@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        ("orcid", "0000-0002-1825-0098"),
        ("orcid", "0000-0002-1694-2338"),
        ("orcid", "0000-0002-1825-009\uff17"),
        ("orcid", "0000-0002-1694-233x"),
        ("orcid", "http://orcid.org/0000-0002-1825-0097"),
        ("orcid", "https://orcid.org.evil.example/0000-0002-1825-0097"),
        ("domain", "example.org."),
        ("domain", "ex\u0430mple.org"),
        ("domain", "xn--exmple-4nf.org"),
        ("domain", "example.org:8443"),
        ("domain", "user@example.org"),
        ("domain", "example.org@evil.example"),
        ("domain", "https://example.org"),
        ("domain", "example.org/path"),
        ("domain", "example.org%2eevil.example"),
        ("domain", "example\u3002org"),
        ("domain", "192.0.2.1"),
        ("domain", "[2001:db8::1]"),
        ("domain", "0x7f.1"),
        ("domain", "localhost"),
        ("domain", "xn--.org"),
        ("domain", "xn--example.org"),
        ("domain", "xn--abc-.org"),
        ("domain", "ab--cd.org"),
        ("domain", "xn--MNCHEN-3YA.de\u200b"),
        ("domain", "a..org"),
        ("domain", "-a.org"),
        ("domain", "a_b.org"),
        ("domain", "a" * 64 + ".org"),
        ("github", "\u043ectocat"),
        ("github", "octo--cat"),
        ("github", "-octocat"),
        ("github", "octocat/evil"),
        ("github", "a" * 40),
        ("ens", "n\u0430me.eth"),
        ("ens", "name.eth."),
        ("ens", "xn--nme-8cd.eth"),
        ("ens", "na_me.eth"),
        ("ens", "name\u200d.eth"),
        ("ens", "eth"),
        ("ens", "\u0440\u0430\u0443\u0440\u0430l.eth"),
        ("ens", "\u0441\u0431\u0435\u0440.eth"),
        ("ens", "a..eth"),
        ("ens", "a" * 256 + ".eth"),
    ],
)
def test_a_name_that_looks_like_another_is_refused(scheme: str, text: str) -> None:
    with pytest.raises(InputError, match=r"expected an? "):
        normal(scheme, text)


@pytest.mark.fast
def test_a_name_has_one_form() -> None:
    assert parse_identifier("domain:Example.ORG") == ("domain", "example.org")
    assert normal("domain", "m\u00fcnchen.de") == normal("domain", "XN--MNCHEN-3YA.de") == "xn--mnchen-3ya.de"
    # all letters of one script that look like others: people are shown the A-label
    assert normal("domain", "\u0430\u0440\u0440\u04cf\u0435.com") == "xn--80ak6aa92e.com"
    assert normal("github", "OctoCat") == "octocat"
    assert normal("ens", "Name.eth") == "name.eth"
    # ENSIP-15: composed, without variation selectors, and an apostrophe that is a letter's
    assert normal("ens", "NICK'S.eth") == "nick\u2019s.eth"
    assert normal("ens", "\u65e5\u672c.ETH") == "\u65e5\u672c.eth"
    assert normal("ens", "\U0001f6b4\u200d\u2642\ufe0f.eth") == "\U0001f6b4\u200d\u2642.eth"
    assert (
        title(statement(scheme="ens", identifier="\u65e5\u672c.eth")) == "ENS \u65e5\u672c.eth ('\\u65e5\\u672c.eth')"
    )
    assert normal("orcid", "https://orcid.org/0000-0002-1694-233X") == "0000-0002-1694-233X"
    assert ror_id("https://ror.org/05dxps055") == "05dxps055"
    with pytest.raises(InputError, match="check digits"):
        ror_id("05dxps056")


@pytest.mark.fast
def test_a_name_that_cannot_be_judged_here_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ens_normalize", None)
    assert normal("ens", "Name.eth") == "name.eth"
    manifest = signed(statement(scheme="ens", identifier="\u65e5\u672c.eth"))
    with pytest.raises(ChainUnavailable, match="this needs ens_normalize"):
        check_claim(manifest, key_of(manifest), DOMAIN)


@pytest.mark.fast
def test_a_name_that_was_given_to_somebody_else_says_nothing() -> None:
    said = statement(scheme="github", identifier="octocat")
    [way] = methods("github")

    def judged(**about: Any) -> Named:
        return way.names(json.dumps(page(said, ACCOUNT) | about).encode(), said, NOW)

    assert judged(account={"login": "octocat", "id": "583231"}).who == "GitHub account '583231'"
    for account in ({"login": "none", "id": "none"}, {"login": "other", "id": "583231"}):
        renamed = judged(account=account)
        assert (renamed.says, renamed.who) == (False, "")
        assert "the file is that of a renamed one" in renamed.reason
    # what was recorded before has no account
    assert judged() == Named(True, "it names the account", "account")
    said = statement(scheme="ens", identifier="name.eth")
    [way] = methods("ens")
    assert judged(expires="101", time="100").says
    assert not any(judged(**more).says for more in ({"expires": "x"}, {"expires": []}, {"expires": "9" * 5000}))
    expired = judged(expires="99", time="100")
    assert (expired.says, "expired on 1970-01-01 00:01:39 UTC" in expired.reason) == (False, True)


@pytest.mark.fast
@pytest.mark.parametrize(("scheme", "text"), [("domain", "Example.org"), ("github", "OctoCat"), ("ens", "Name.eth")])
def test_a_claim_in_another_case_is_none(scheme: str, text: str) -> None:
    manifest = signed(statement(scheme=scheme, identifier=text))
    with pytest.raises(InputError, match="not the one form"):
        check_claim(manifest, key_of(manifest), DOMAIN)


# -- claims


@pytest.mark.fast
@pytest.mark.parametrize(
    ("fields", "key", "domain"),
    [
        ({}, {}, Domain(5, REGISTRY)),
        ({}, {}, Domain(1, "0x" + "34" * 20)),
        ({"chainId": "5"}, {}, DOMAIN),
        ({"registry": "0x" + "34" * 20}, {}, DOMAIN),
        ({}, {"author": "0x" + "56" * 20}, DOMAIN),
        ({"group": 7}, {"group": 8}, DOMAIN),
    ],
    ids=["chain", "registry", "of chain", "of registry", "account", "group"],
)
def test_a_claim_that_is_replayed_elsewhere_is_refused(
    fields: dict[str, Any], key: dict[str, Any], domain: Domain
) -> None:
    manifest = signed(statement(**fields))
    with pytest.raises(InputError, match="it is replayed"):
        check_claim(manifest, key_of(manifest, **key), domain)


@pytest.mark.fast
def test_a_claim_that_its_account_did_not_sign_is_refused() -> None:
    from eth_account import Account

    said = statement()
    good = signed(said).predicate.signature  # type: ignore[union-attr]
    high = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - int(good[66:130], 16)
    malleable = f"{good[:66]}{high:064x}{'1b' if good[130:] == '1c' else '1c'}"
    wrong = [signed(said, Account.from_key(b"\2" * 32)).predicate.signature, malleable, "0x" + "00" * 65]  # type: ignore[union-attr]
    wrong += [good[:-2] + "00", f"{good[:10]}{'0' if good[10] != '0' else '1'}{good[11:]}"]
    for signature in wrong:
        manifest = manifest_of(said, signature)
        with pytest.raises(InputError, match="is not signed by"):
            check_claim(manifest, key_of(manifest), DOMAIN)


@pytest.mark.fast
def test_a_claim_that_is_signed_after_its_record_is_refused() -> None:
    require_timely(statement(signedAt="1700000000"), 1_700_000_000 - 299)
    with pytest.raises(InputError, match="signed after its record"):
        require_timely(statement(signedAt="1700000000"), 1_700_000_000 - 301)


# -- pages


@pytest.mark.fast
@pytest.mark.parametrize("scheme", ["domain", "github", "ens"])
def test_a_page_for_another_registry_chain_account_group_or_claim_names_nothing(scheme: str) -> None:
    said = statement(scheme=scheme, identifier=NAMES[scheme])
    claim = f"{HERE}/claim/0x{said.digest()}"
    assert judged(scheme, page(said, ACCOUNT)).by == "account"
    assert judged(scheme, page(said, ACCOUNT, claim)).by == "claim"
    assert judged(scheme, page(said, ACCOUNT.replace(MEMBER.address.lower(), MEMBER.address))).says
    others = [
        ACCOUNT.replace("eip155:1:", "eip155:5:"),
        ACCOUNT.replace(REGISTRY, "0x" + "34" * 20),
        f"{HERE}/account/0x{'56' * 20}",
        f"{HERE}/group/1",
        f"{HERE}/claim/0x{'ab' * 32}",
        f"{ACCOUNT} ",
        f"{ACCOUNT}/",
        f"x{ACCOUNT}",
        ACCOUNT.replace("account", "\u0430ccount"),
        MEMBER.address,
    ]
    for other in others:
        assert not judged(scheme, page(said, other)).says, other
    assert "another registry, chain" in judged(scheme, page(said, others[0])).reason
    assert judged(scheme, page(said, f"{HERE}/group/7"), group=7).by == "group"
    assert not judged(scheme, page(said, ACCOUNT), group=7).says


@pytest.mark.fast
def test_a_page_of_somebody_else_or_of_another_form_names_nothing() -> None:
    said = statement(scheme="domain", identifier="example.org")
    good = page(said, ACCOUNT)
    assert judged("domain", good | {"further": 1}).says
    wrong: list[Any] = [
        good | {"of": "domain:example.com"},
        good | {"of": "github:example.org"},
        good | {"of": None},
        good | {"type": "urn:blockchaintracer:identity-page:v2"},
        good | {"type": 1},
        good | {"names": ACCOUNT},
        good | {"names": [[ACCOUNT]]},
        good | {"names": [ACCOUNT] * 1001},
        [good],
        json.dumps(good).encode() + b"}",
        json.dumps(good).encode().replace(b'"of"', b'"of": "domain:example.org", "of"'),
        b"[" * 100_000,
        b"\xff",
        b"",
        b" " * (1 << 20) + json.dumps(good).encode(),
    ]
    for data in wrong:
        assert not judged("domain", data).says, str(data)[:100]


@pytest.mark.fast
def test_an_orcid_record_counts_where_it_is_public_and_of_this_person() -> None:
    assert judged("orcid", person(f"https://orcid.org/x#{ACCOUNT}")).by == "account"
    other = {"external-id-type": "x", "external-id-value": ACCOUNT, "visibility": "public"}
    listed = person() | {"external-identifiers": {"external-identifier": [other]}}
    assert judged("orcid", listed).says
    wrong = [
        person(f"https://orcid.org/x#{ACCOUNT}", orcid="0000-0002-1694-233X"),
        person(f"https://orcid.org/x#{ACCOUNT}", visibility="limited"),
        person(f"https://orcid.org/{ACCOUNT}"),
        person(f"https://orcid.org/x?q={ACCOUNT}"),
        person(f"https://orcid.org/x#{ACCOUNT}1"),
        person(f"https://orcid.org/x#{ACCOUNT.replace(REGISTRY, '0x' + '34' * 20)}"),
        person(f"https://orcid.org/x#{ACCOUNT}\n"),
        person(f"https://orcid.org/x#{ACCOUNT[:9]}\t{ACCOUNT[9:]}"),
        {"path": f"/{NAMES['orcid']}/person", "researcher-urls": [ACCOUNT], "external-identifiers": 1},
        {"path": f"/{NAMES['orcid']}/person", "biography": {"content": ACCOUNT}},
    ]
    for data in wrong:
        assert not judged("orcid", data).says, data


@pytest.mark.fast
def test_a_did_configuration_links_one_account_of_one_chain() -> None:
    did = f"did:pkh:eip155:1:{MEMBER.address.lower()}"
    good: dict[str, Any] = {
        "type": ["VerifiableCredential", "DomainLinkageCredential"],
        "issuer": did,
        "issuanceDate": "2020-01-01T00:00:00Z",
        "expirationDate": "2030-01-01T00:00:00Z",
        "credentialSubject": {"id": did, "origin": "https://example.org"},
    }
    way = methods("domain")[1]

    def says(credential: Any, **fields: Any) -> bool:
        said = statement(scheme="domain", identifier="example.org", **fields)
        return bool(way.names(json.dumps({"linked_dids": [credential]}).encode(), said, NOW).says)

    assert way.name == "did-configuration"
    assert says(good)
    assert not says(good, group=7)
    assert not says(good, chainId="5")
    other = did.replace("eip155:1:", "eip155:5:")
    for changed in (
        {"issuer": other},
        {"credentialSubject": {"id": other, "origin": "https://example.org"}},
        {"credentialSubject": {"id": did, "origin": "https://example.org.evil.example"}},
        {"credentialSubject": {"id": did, "origin": "http://example.org"}},
        {"credentialSubject": {"id": did, "origin": "https://example.org:8443"}},
        {"expirationDate": "2021-01-01T00:00:00Z"},
        {"expirationDate": None},
        {"issuanceDate": "2029-01-01T00:00:00Z"},
        {"type": "DomainLinkageCredential"},
        {"type": ["VerifiableCredential"]},
    ):
        assert not says(good | changed), changed
    assert not says("eyJhbGciOiJub25lIn0.e30.")


@pytest.mark.fast
def test_ror_names_a_domain_of_an_active_institution() -> None:
    record = {"id": "https://ror.org/05dxps055", "status": "active", "domains": ["caltech.edu"]}

    def says(domain: str, **changed: Any) -> bool:
        return ror.names(json.dumps(record | changed).encode(), "05dxps055", domain).says

    assert says("caltech.edu")
    assert says("ligo.caltech.edu")
    assert not says("notcaltech.edu")
    assert not says("caltech.edu", status="withdrawn")
    assert not says("caltech.edu", id="https://ror.org/01ggx4157")
    assert not says("caltech.edu", domains="caltech.edu")


# -- fetching


@pytest.mark.node
@pytest.mark.parametrize("scheme", ["orcid", "domain", "github"])
def test_no_redirect_is_followed(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = statement(scheme=scheme, identifier=NAMES[scheme])
    way = methods(scheme)[0]
    with other_sides() as sides, other_sides() as elsewhere:
        for name, value in sides.variables.items():
            monkeypatch.setenv(name, value)
        assert way.fetch(said, LOCAL) is None
        sides.orcid(NAMES["orcid"], f"https://orcid.org/x#{ACCOUNT}")
        sides.domain(NAMES["domain"], page(said, ACCOUNT))
        sides.github(NAMES["github"], page(said, ACCOUNT))
        data = way.fetch(said, LOCAL)
        assert data
        assert way.names(data, said, NOW).says
        for path, body in list(sides.pages.items()):
            elsewhere.pages[path] = sides.pages[f"/other{path}"] = body
            sides.pages[path] = f"{elsewhere.address}{path}"
        with pytest.raises(InputError, match="points to another host"):
            way.fetch(said, LOCAL)
        for path in list(sides.pages):
            sides.pages[path] = f"/other{path}"
        with pytest.raises(InputError, match="points to another page"):
            way.fetch(said, LOCAL)


@pytest.mark.node
def test_only_https_to_public_addresses_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    said = statement(scheme="domain", identifier="example.org")
    way, strict = methods("domain")[0], Asking()
    with other_sides() as sides:
        sides.domain("example.org", page(said, ACCOUNT))
        monkeypatch.setenv("BLOCKCHAINTRACER_WELL_KNOWN", f"{sides.address}/{{domain}}")
        with pytest.raises(InputError, match="expected https"):
            way.fetch(said, strict)
        monkeypatch.setenv("BLOCKCHAINTRACER_WELL_KNOWN", sides.address.replace("http:", "https:"))
        with pytest.raises(InputError, match="no public address"):
            way.fetch(said, strict)
        for wrong in ("https://user@mirror.example", "https://mirror.example?x=1", "ftp://mirror.example", "https://"):
            monkeypatch.setenv("BLOCKCHAINTRACER_WELL_KNOWN", wrong)
            with pytest.raises(InputError, match="expected"):
                way.fetch(said, LOCAL)
        monkeypatch.setenv("BLOCKCHAINTRACER_WELL_KNOWN", "http://127.0.0.1:9")
        with pytest.raises(ChainUnavailable, match="can't be reached"):
            way.fetch(said, LOCAL)
