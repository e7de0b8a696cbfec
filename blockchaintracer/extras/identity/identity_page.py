"""The file by which a domain or a GitHub user names accounts, groups and claims (docs/identity-page.schema.json)."""

from __future__ import annotations

from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.extras.identity.other_side import LIMIT, Named, judge
from blockchaintracer.lab.formats import IDENTITY_PAGE

MAX_NAMES = 1000


def page(statement: IdentityStatement, *names: str) -> dict[str, Any]:
    """Return the file that names these texts, for who claims to be the statement's identifier."""
    return {"type": str(IDENTITY_PAGE), "of": f"{statement.scheme}:{statement.identifier}", "names": [*names]}


def judge_page(data: bytes, statement: IdentityStatement) -> Named:
    """Say whether such a file names the statement. Fields that are not known here are left alone."""
    try:
        of, names = read_page(data)
    except InputError as error:
        return Named(False, f"it is no such page: {error.message[:300]}")
    if of != (expected := f"{statement.scheme}:{statement.identifier}"):
        return Named(False, f"it is the page of {ascii(of)[:100]}, not of {expected}")
    return judge(names, statement)


def read_page(data: bytes) -> tuple[Any, list[str]]:
    """Return whose page such a file says to be, and the texts that it names."""
    given = read_object(data)
    IDENTITY_PAGE.check(given.get("type"), "the page")
    names = given.get("names")
    if not isinstance(names, list) or len(names) > MAX_NAMES or not all(isinstance(name, str) for name in names):
        raise InputError(f"expected at most {MAX_NAMES} texts in its list `names`")
    return given.get("of"), names


def read_object(data: bytes) -> dict[str, Any]:
    """Read an answer, which must be one JSON object of at most `LIMIT` bytes."""
    if len(data) > LIMIT:
        raise InputError(f"expected at most {LIMIT} bytes, got more")
    value = parse_json(data, "the page")
    if not isinstance(value, dict):
        raise InputError("expected a JSON object, got another value")
    return value
