"""The one form of each identifier that a claim can name. What has no such form, or could look like another, is refused.

>>> normal("orcid", "https://orcid.org/0000-0002-1825-0097"), normal("domain", "Example.org")
('0000-0002-1825-0097', 'example.org')
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import ip_address
from typing import NoReturn

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.networks import DEVNET
from blockchaintracer.lab.optional import require

SCHEMES = ("orcid", "domain", "github", "ens")
TITLES = {"orcid": "ORCID", "domain": "domain", "github": "GitHub", "ens": "ENS"}

MAINNET = 1
_TEST_NETWORKS = frozenset({11155111, 17000, DEVNET.chain_id})

_ORCID = re.compile(r"(?:https://orcid\.org/)?([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])")
_GITHUB = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){0,38}")
_ENS_LABEL = re.compile(r"_*[a-z0-9$-]+")
_ROR = re.compile(r"(?:https://ror\.org/)?(0[a-hj-km-np-tv-z0-9]{6}[0-9]{2})")
_LDH = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOGETHER = ({"CJK", "HIRAGANA", "KATAKANA"}, {"CJK", "HANGUL"}, {"CJK", "BOPOMOFO"})
"""Scripts that one language writes together (UTS 39, "highly restrictive", without Latin)."""
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def normal(scheme: str, text: str) -> str:
    """Return the one form of an identifier.

    Args:
        scheme: one of `SCHEMES`.
        text: as a person types it.

    Raises:
        InputError: with what was expected, if it has none.
    """
    if scheme not in SCHEMES:
        raise InputError(f"expected an identifier of {', '.join(SCHEMES)}, got one of {scheme[:40]!r}")
    return {"orcid": orcid, "domain": domain, "github": github, "ens": ens}[scheme](text)


def parse_identifier(text: str) -> tuple[str, str]:
    """Read ``orcid:0000-…``, ``domain:…``, ``github:…`` or ``ens:…``. Returns the scheme and the identifier."""
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in SCHEMES:
        forms = ", ".join(f"{name}:…" for name in SCHEMES)
        raise InputError(f"expected an identifier as {forms}, got {text[:80]!r}", hint="orcid:0000-0002-1825-0097.")
    return scheme, normal(scheme, rest)


def orcid(text: str) -> str:
    """Return an ORCID iD, ``0000-0002-1825-0097``. Its last character is the check of ISO 7064, MOD 11-2."""
    if not (match := _ORCID.fullmatch(text)):
        _refuse("an ORCID iD of 16 digits such as 0000-0002-1825-0097", text)
    digits = match[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = "0123456789X"[(12 - total % 11) % 11]
    if digits[-1] != check:
        _refuse(f"an ORCID iD whose check digit is right, here {check}", text)
    return match[1]


def domain(text: str) -> str:
    """Return a domain as lower-case A-labels (RFC 5890), without a trailing dot."""
    import idna

    what = "a domain name such as example.org, without scheme, user, port, path or trailing dot"
    if not 0 < len(text) <= 253 or re.search(r"[\s/\\:@?#%\[\]\x00-\x1f]", text) or text != text.strip("."):
        _refuse(what, text)
    labels = text.lower().split(".") if text.isascii() else text.split(".")
    if _is_address(text) or len(labels) < 2 or (not labels[-1].isascii() and len(labels[-1]) < 2):
        _refuse("a domain name with a dot, which is no IP address", text)
    try:
        done = [_label(label) for label in labels]
    except (idna.IDNAError, ValueError) as error:
        _refuse(f"{what}: {error}", text)
    if labels[-1].isdigit() or len(".".join(done)) > 253:
        _refuse(what, text)
    return ".".join(done)


def _label(label: str) -> str:
    """Return one A-label, or raise ValueError (IDNAError is one)."""
    import idna

    if label.isascii():
        if not _LDH.fullmatch(label):
            raise ValueError(f"{label[:63]!r} is no label of letters, digits and hyphens")
        if label[2:4] != "--":
            return label
        if not label.startswith("xn--"):
            raise ValueError(f"{label!r} has hyphens where only xn-- may have them")
        letters = idna.ulabel(label)
    else:
        letters = label
    _require_one_script(letters)
    encoded = idna.alabel(letters).decode("ascii")
    if label.isascii() and encoded != label:
        raise ValueError(f"{label!r} is not the one form of {letters!r}")
    return encoded


def _require_one_script(letters: str) -> None:
    scripts = {unicodedata.name(letter, "?").split()[0].split("-")[0] for letter in letters if letter.isalpha()}
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        raise ValueError(f"{letters!r} mixes scripts ({', '.join(sorted(scripts))})")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def github(text: str) -> str:
    """Return a GitHub user or organisation in lower case: GitHub knows no two that differ in case."""
    if not text.isascii() or not _GITHUB.fullmatch(name := text.lower()):
        _refuse("a GitHub user name of 1 to 39 letters, digits and single hyphens", text)
    return name


def ens(text: str) -> str:
    """Return an ENS name in the form of ENSIP-15, which refuses what looks like another name.

    Of plain names it is lower case, ``_`` only in front of a label, and no ``--`` at its third place; all others take
    the package ens-normalize.
    """
    name, what = text.lower(), "an ENS name in the form of ENSIP-15, such as name.eth"
    if len(text) > 255:
        _refuse(what, text)
    if not all(_ENS_LABEL.fullmatch(it) and it[2:4] != "--" for it in name.split(".")):
        try:
            library = require("ens_normalize", "identity")
        except InputError as error:
            # the name may be right: a claim of it is not refused
            raise ChainUnavailable(error.message, hint=error.hint) from None
        try:
            name = library.ens_normalize(text)
        except library.DisallowedSequence as error:
            _refuse(f"{what} ({error})", text)
    if not all(name.split(".")) or "." not in name:
        _refuse(what, text)
    return name


def ens_chain(chain_id: int) -> int:
    """Return the id of the chain whose ENS a claim on this chain means: a test network has names of its own, which
    anyone can take; all others mean Ethereum's."""
    return chain_id if chain_id in _TEST_NETWORKS else MAINNET


def ror(text: str) -> str:
    """Return a ROR id, ``05dxps055``. Its last two digits are the check of ISO 7064, MOD 97-10, over Crockford's base
    32."""
    if not (match := _ROR.fullmatch(text)):
        _refuse("a ROR id such as https://ror.org/05dxps055", text)
    number = 0
    for letter in match[1][:7]:
        number = number * 32 + _CROCKFORD.index(letter)
    if (check := 98 - number * 100 % 97) != int(match[1][7:]):
        _refuse(f"a ROR id whose check digits are right, here {check:02}", text)
    return match[1]


def _refuse(expected: str, got: str) -> NoReturn:
    raise InputError(f"expected {expected}, got {got[:120]!a}")
