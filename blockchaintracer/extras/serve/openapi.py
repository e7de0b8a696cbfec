"""The OpenAPI description: the forms of answers, made from the same classes as the answers, with examples."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from blockchaintracer.core.plain_json import camel_case
from blockchaintracer.core.record import RecordKey
from blockchaintracer.extras.lineage import Edge
from blockchaintracer.extras.search import Row
from blockchaintracer.extras.search.rows import Retraction, VerdictRow
from blockchaintracer.extras.serve.exchange import PROBLEM

DESCRIPTION = """Read-only questions about one registry of BlockchainTracer: who recorded what, when, for which group.

Answers come from an index. Nothing is true because the index says so: each record names chain, registry, block and
transaction where it can be checked, and `blockchaintracer verify` checks it. Shown is what is on the chain and what was
published, nothing else. Times are Unix seconds by the chain's own clock."""

_HEX, _SHA256 = {"type": "string", "pattern": "^0x[0-9a-f]{64}$"}, {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_TEXT, _NUMBER, _BOOLEAN = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(about: str, /, **properties: Any) -> dict[str, Any]:
    form = {"type": "object", "description": about, "properties": properties}
    return {**form, "required": [*properties], "additionalProperties": False}


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def _of_class(kind: type, about: str, /, **more: Any) -> dict[str, Any]:
    """The form of a dataclass in JSON."""
    made = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
    fields = {camel_case(name): _plain(form) for name, form in made["properties"].items()}
    return _object(about, **fields, **more)


def _plain(form: dict[str, Any]) -> dict[str, Any]:
    """Without titles and defaults, which say nothing of an answer."""
    return {name: value for name, value in form.items() if name not in ("title", "default")}


_AS_OF = {"$ref": "#/components/schemas/AsOf"}
_GLOBAL = {"globalId": _or_null(_TEXT)}
_ROW = _of_class(Row, "A record as the index knows it.", timeUtc=_TEXT, **_GLOBAL)
_PAGE = {"records": _list_of("Row"), "more": _BOOLEAN, "next": _or_null(_HEX)}
_KEY = _of_class(RecordKey, "What a record's id is computed from.")
_KEY["properties"]["parents"] = _list_of("Link")
_KEY_FILE = {
    "type": "object",
    "description": "A key file (docs/formats.md): record key, receipts, maybe a Merkle path.",
}
_MANIFEST = {"type": "object", "description": "An in-toto Statement v1, written by its author."}

SCHEMAS = {
    "AsOf": _object(
        "Up to which block an answer holds.",
        block=_NUMBER,
        blockHash=_HEX,
        time=_NUMBER,
        timeUtc=_TEXT,
        complete=_or_null(_BOOLEAN) | {"description": "Whether all before is known; null until a node answered."},
        gap=_or_null(_TEXT) | {"description": "Why older records may be missing."},
        nodeSilentSince=_or_null(_TEXT) | {"description": "Since when no node answers."},
    ),
    "Row": _ROW,
    "Link": _object("A parent.", parent=_HEX, relation=_NUMBER),
    "Key": _KEY,
    "Verdict": _of_class(VerdictRow, "A verdict, or its withdrawal (`none`).", **_GLOBAL),
    "Retraction": _of_class(Retraction, "By whom, when and why a record was retracted."),
    "PublishedFile": _object("A published file.", name=_TEXT, sha256=_SHA256, size=_NUMBER),
    "Group": _object(
        "A group.",
        group=_NUMBER,
        name=_or_null(_TEXT),
        description=_or_null(_TEXT),
        manifest=_SHA256,
        createdInBlock=_NUMBER,
    ),
    "Node": {
        **_ROW,
        "description": "A record in a lineage.",
        "properties": {
            **_ROW["properties"],
            "depth": _NUMBER,
            "retractedAncestors": {"type": "array", "items": _HEX},
            "moreRetracted": _or_null(_BOOLEAN)
            | {"description": "null: not all ancestors were followed, or a manifest is missing."},
        },
        "required": [*_ROW["required"], "depth", "retractedAncestors", "moreRetracted"],
    },
    "Edge": _of_class(Edge, "`child` names `parent` in its key."),
    "Batched": _object("A record that is in a batch only.", id=_HEX, batch=_or_null(_HEX), **_GLOBAL),
    "Health": _object(
        "Whether the index follows its chain.",
        asOf=_AS_OF,
        status={"type": "string", "enum": ["ok", "stale"]},
        problem=_or_null(_TEXT),
    ),
    "Registry": _object(
        "A registry.",
        asOf=_AS_OF,
        registry=_TEXT,
        chainId=_NUMBER,
        network=_or_null(_TEXT),
        owner=_or_null(_TEXT),
        offeredTo=_or_null(_TEXT),
        openGroupCreation=_or_null(_BOOLEAN),
        successor=_or_null(_TEXT),
    ),
    "Groups": _object("Groups.", asOf=_AS_OF, groups=_list_of("Group"), more=_BOOLEAN, next=_or_null(_NUMBER)),
    "Records": _object("A page of records.", asOf=_AS_OF, **_PAGE),
    "File": _object("All records of a file.", asOf=_AS_OF, sha256=_SHA256, batched=_list_of("Batched"), **_PAGE),
    "Record": _object(
        "One record.",
        asOf=_AS_OF,
        record={"$ref": "#/components/schemas/Row"},
        key={"$ref": "#/components/schemas/Key"},
        verdicts=_list_of("Verdict"),
        retraction=_or_null({"$ref": "#/components/schemas/Retraction"}),
        published=_list_of("PublishedFile"),
        proof=_BOOLEAN,
    ),
    "Lineage": _object(
        "A record with its ancestors and descendants.",
        asOf=_AS_OF,
        root=_HEX,
        isComplete=_BOOLEAN,
        nodes=_list_of("Node"),
        edges=_list_of("Edge"),
    ),
    "Proof": _KEY_FILE,
    "Manifest": _MANIFEST,
    "Problem": _object(
        "Problem details (RFC 9457).",
        type=_TEXT,
        title=_TEXT,
        status=_NUMBER,
        detail={**_TEXT, "description": "What was expected, and what came."},
        hint=_or_null(_TEXT) | {"description": "What to do."},
    ),
}

_AS_OF_EXAMPLE = {
    "block": 24_800_000,
    "blockHash": "0x" + "5b" * 32,
    "time": 1_767_225_600,
    "timeUtc": "2026-01-01T00:00:00Z",
    "complete": True,
    "gap": None,
    "nodeSilentSince": None,
}
EXAMPLES: dict[str, Any] = {
    "Health": {"asOf": _AS_OF_EXAMPLE, "status": "ok", "problem": None},
    "Groups": {
        "asOf": _AS_OF_EXAMPLE,
        "groups": [
            {
                "group": 1,
                "name": "LIGO Hanford",
                "description": None,
                "manifest": "c4" * 32,
                "createdInBlock": 24_700_000,
            }
        ],
        "more": False,
        "next": None,
    },
    "Records": {"asOf": _AS_OF_EXAMPLE, "records": [], "more": False, "next": None},
}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def of(name: str) -> dict[str, Any]:
    """Return what FastAPI needs to describe a path that answers with a form."""
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{name}"}}
    if name in EXAMPLES:
        content["example"] = EXAMPLES[name]
    responses: dict[int, Any] = {
        200: {"description": SCHEMAS[name]["description"], "content": {"application/json": content}},
        304: {"description": "The asker has this answer already (`If-None-Match`)."},
        400: _problem("The question is not well formed."),
        404: _problem("It is not in the index, or not published."),
        413: _problem("It has a body."),
        414: _problem("Its address is too long."),
        503: _problem("It can't be answered now, or not in time."),
    }
    return {"responses": responses, "response_model": None, "response_class": Response, "operation_id": name.lower()}


def _in_address(form: dict[str, Any]) -> dict[str, Any]:
    """The form of a parameter, which is absent, and never null in an address."""
    choices = [choice for choice in form.get("anyOf", ()) if choice != {"type": "null"}]
    plain = {name: value for name, value in form.items() if name not in ("anyOf", "title", "description")}
    return {**plain, **choices[0]} if len(choices) == 1 else {**plain, "anyOf": choices} if choices else plain


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document."""
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    made["components"] = {"schemas": SCHEMAS}
    for path in made["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _in_address(parameter["schema"])
    return made
