"""The HTTP interface, version 1: paths, parameters, tags of answers, and their description by OpenAPI."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.extras.search import STATUSES
from blockchaintracer.extras.serve import openapi
from blockchaintracer.extras.serve.exchange import PROBLEM, Exchange, problem
from blockchaintracer.extras.serve.follower import Follower
from blockchaintracer.extras.serve.readers import Readers, Unanswered
from blockchaintracer.extras.serve.registry_answers import Answers, NotFound

VERSION = "1.0.0"
"""Of the interface, not of the package."""
MAX_LIMIT = 200
MAX_DEPTH = 10
_GZIP_FROM = 1_000
_ZIPS = re.compile(r"(?i)\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))")
_RECENT, _RECENT_BYTES = 256, 1 << 17
"""Answers that are kept, and bytes of one at most."""
_KEPT_S = 3_600
"""Seconds for which a cache may keep what its digest names."""

RecordId = Annotated[str, Path(description="A record's id.", json_schema_extra={"format": "record-id"}, max_length=66)]
Digest = Annotated[
    str, Path(description="SHA-256, 64 hex digits.", json_schema_extra={"format": "sha256"}, max_length=66)
]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Entries of a page at most.")]
After = Annotated[
    str | None,
    Query(
        description="`next` of the page before: the id of its last record. What is recorded meanwhile moves nothing.",
        json_schema_extra={"format": "record-id"},
        max_length=66,
    ),
]


def _text(description: str, form: str, most: int = 2_000) -> Any:
    return Query(description=description, json_schema_extra={"format": form}, min_length=1, max_length=most)


def _time(description: str) -> Any:
    forms = {"anyOf": [{"type": "string", "format": form} for form in ("date", "date-time")]}
    return Query(description=description, json_schema_extra=forms, max_length=40)


class _Recent(dict[tuple[str | None, bool], bytes]):
    """What many ask for: the newest page, a record that is spoken of. By tag, and whether it is compressed."""

    def keep(self, what: tuple[str | None, bool], body: bytes) -> None:
        """Keep an answer that has a tag, and forget the one that was asked for longest ago."""
        if what[0] and len(body) <= _RECENT_BYTES:
            self.pop(what, None)
            self[what] = body
            if len(self) > _RECENT:
                del self[next(iter(self))]


def make_app(answers: Answers, readers: Readers, follower: Follower, log: Callable[[str], None] | None = None) -> Any:
    """Return the ASGI application."""
    app = FastAPI(
        title="BlockchainTracer",
        version=VERSION,
        description=openapi.DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )

    recent = _Recent()

    async def give(request: Request, question: Callable[[Any], Any], *, tagged: bool = True) -> Response:
        """Answer with an object, its block and its tag; 304 if the asker has it."""
        _require_known(request)
        state = follower.state
        headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-cache" if tagged else "no-store"}
        if tagged and state.is_settled:
            asked = f"{follower.nonce} {state.generation} {request.url.path}?{request.url.query}"
            headers["ETag"] = f'W/"{sha256(asked.encode()).hexdigest()[:32]}"'
            if _has(request, headers["ETag"]):
                return Response(status_code=304, headers=headers)
        zips = _ZIPS.search(request.headers.get("accept-encoding", "")) is not None
        kept = (headers.get("ETag"), zips)

        def answer(index: Any) -> bytes:
            body = json.dumps({"asOf": answers.as_of(index, state), **question(index)}).encode()
            return gzip.compress(body, 4, mtime=0) if zips and len(body) > _GZIP_FROM else body

        known = recent.get(kept)
        body = await readers.ask(answer) if known is None else known
        recent.keep(kept, body)
        if body[:2] == b"\x1f\x8b":
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type="application/json", headers=headers)

    async def give_bytes(request: Request, question: Callable[[Any], bytes]) -> Response:
        """Answer with published bytes. Their tag is their digest."""
        _require_known(request)
        body = await readers.ask(question)
        headers = {"ETag": f'"{sha256(body).hexdigest()}"', "Cache-Control": f"public, max-age={_KEPT_S}"}
        if _has(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    @app.get("/v1/health", **openapi.of("Health"))
    async def health(request: Request) -> Response:
        """Whether the index follows its chain."""
        return await give(request, lambda index: answers.health(index, follower.state), tagged=False)

    @app.get("/v1/registry", **openapi.of("Registry"))
    async def registry(request: Request) -> Response:
        """The registry: chain, address, owner, successor, and the block up to which it is known."""
        return await give(request, lambda index: answers.registry(index, follower.state))

    @app.get("/v1/groups", **openapi.of("Groups"))
    async def groups(
        request: Request,
        after: Annotated[int, Query(ge=0, lt=2**32, description="`next` of the page before.")] = 0,
        limit: Limit = 50,
    ) -> Response:
        """The groups by number, with the names and descriptions that are published."""
        return await give(request, lambda index: answers.groups(index, after, limit))

    @app.get("/v1/records", **openapi.of("Records"))
    async def records(
        request: Request,
        text: Annotated[str | None, _text("Words that all occur in name, description or values.", "words")] = None,
        where: Annotated[
            str | None, _text("Such as `metrics.accuracy > 0.9 and params.lr <= 0.01`.", "condition")
        ] = None,
        kind: Annotated[str | None, _text("`dataset`, `model`, `run`, …, or a lab's own number.", "kind", 40)] = None,
        group: Annotated[int | None, Query(ge=1, lt=2**32, description="Only records of this group.")] = None,
        waiting_for: Annotated[
            int | None,
            Query(alias="waitingFor", ge=1, lt=2**32, description="Records of others without a verdict of this group."),
        ] = None,
        author: Annotated[str | None, _text("Only records of this account.", "address", 42)] = None,
        since: Annotated[str | None, _time("Not recorded earlier: a date, or RFC 3339.")] = None,
        until: Annotated[str | None, _time("Not recorded later: a date counts to its end.")] = None,
        subject: Annotated[str | None, _text("All records of these bytes, by SHA-256.", "sha256", 66)] = None,
        cid: Annotated[str | None, _text("IPFS address of the manifest or the subject.", "cid", 100)] = None,
        status: Annotated[list[Literal[STATUSES]], Query(description="Repeatable; all hold.", max_length=9)] = [],  # type: ignore[valid-type]  # noqa: B006
        ancestors_of: Annotated[
            str | None,
            Query(alias="ancestorsOf", json_schema_extra={"format": "record-id"}, description="What it was made from."),
        ] = None,
        descendants_of: Annotated[
            str | None,
            Query(
                alias="descendantsOf", json_schema_extra={"format": "record-id"}, description="What was made from it."
            ),
        ] = None,
        sort: Annotated[str, _text("`time`, or a number such as `metrics.accuracy`.", "field", 200)] = "time",
        order: Annotated[
            Literal["descending", "ascending"], Query(description="Newest or largest first, or last.")
        ] = "descending",
        after: After = None,
        limit: Limit = 50,
    ) -> Response:
        """Search the records by conditions that all hold, newest first.

        Names, parameters and metrics are what authors declare in published manifests. A record whose manifest is not
        published is found by what the chain says of it alone.
        """
        conditions = {
            "text": text, "where": where, "kind": kind, "group": group, "waiting_for": waiting_for, "author": author,
            "since": since, "until": until, "subject": subject, "cid": cid, "status": status, "sort": sort,
            "ancestors_of": ancestors_of, "descendants_of": descendants_of, "descending": order == "descending",
            "after": after,
        }  # fmt: skip
        return await give(request, lambda index: answers.records(index, limit, conditions))

    @app.get("/v1/records/{id}", **openapi.of("Record"))
    async def record(request: Request, id: RecordId) -> Response:
        """One record: key, state, verdicts, retraction, batch, seal, and the names of what is published of it."""
        return await give(request, lambda index: answers.record(index, id))

    @app.get("/v1/records/{id}/lineage", **openapi.of("Lineage"))
    async def lineage(
        request: Request,
        id: RecordId,
        depth: Annotated[int, Query(ge=1, le=MAX_DEPTH, description="Links to follow in each direction.")] = 3,
    ) -> Response:
        """What a record was made from and what was made from it, nearest first; `isComplete`: is that all?"""
        return await give(request, lambda index: answers.lineage(index, id, depth))

    @app.get("/v1/records/{id}/proof", **openapi.of("Proof"))
    async def proof(request: Request, id: RecordId) -> Response:
        """The published key of a record, with its Merkle path if it is in a batch: with it and one read of the chain's
        state anyone can check the record."""
        return await give_bytes(request, lambda index: answers.required_proof(id))

    @app.get("/v1/files/{sha256}", **openapi.of("File"))
    async def file(request: Request, sha256: Digest, after: After = None, limit: Limit = 50) -> Response:
        """All records of a file by its SHA-256, by whomever; also those in a batch only, if published."""
        return await give(request, lambda index: answers.file(index, sha256, limit, after))

    @app.get("/v1/manifests/{sha256}", **openapi.of("Manifest"))
    async def manifest(request: Request, sha256: Digest) -> Response:
        """The bytes of a published manifest. Their SHA-256 is the name: check it."""
        return await give_bytes(request, lambda index: answers.manifest(index, sha256))

    _add_refusals(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD"],
        allow_headers=["If-None-Match"],
        expose_headers=["ETag", "Retry-After"],
    )
    described = openapi.document(app)
    app.openapi = lambda: described  # type: ignore[method-assign]
    return Exchange(app, log)


def _add_refusals(app: FastAPI) -> None:
    """Answer every failure with problem details."""

    @app.exception_handler(BlockchainTracerError)
    async def refuse(request: Request, error: BlockchainTracerError) -> Response:
        status = 404 if isinstance(error, NotFound) else 400 if isinstance(error, InputError) else 503
        more = {"Retry-After": "2"} if status == 503 else {}
        if not isinstance(error, InputError | Unanswered):
            return _problem(503, "the index can't be read now", "Try again in a moment.", more)
        return _problem(status, error.message, error.hint, more)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        told = error.errors()[0]
        where, given = ".".join(map(str, told["loc"][1:])), repr(told.get("input"))[:80]
        text = f"{where}: {told['msg']}, got {given}"
        return _problem(400, text, "/v1/openapi.json has the forms.")

    @app.exception_handler(HTTPException)
    async def missing(request: Request, error: HTTPException) -> Response:
        hint = "/v1/openapi.json lists all paths."
        text = f"expected a path of this interface, got {request.url.path[:100]!r} ({error.detail})"
        return _problem(error.status_code, text, hint, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return _problem(500, "an answer failed in a way that is not expected here", "Tell the operator of this server.")


def _problem(status: int, detail: str, hint: str | None, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(problem(status, detail, hint))
    return Response(body, status_code=status, media_type=PROBLEM, headers=headers)


def _has(request: Request, tag: str) -> bool:
    """Whether the asker has the answer with this tag (RFC 9110, 13.1.2: weak comparison)."""
    given = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    return "*" in given or tag.removeprefix("W/") in given


def _require_known(request: Request) -> None:
    """Refuse a parameter that the path does not have: a filter that is mistyped must not find everything."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in known:
            raise InputError(
                f"expected one of the parameters {', '.join(sorted(known)) or '(none)'}, got {name[:40]!r}",
                hint="/v1/openapi.json describes them.",
            )
        if name != "status" and given.count(name) > 1:
            raise InputError(f"expected {name} once, got it {given.count(name)} times")
