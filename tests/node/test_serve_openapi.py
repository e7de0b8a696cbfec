"""Every question that the OpenAPI document of `serve` allows, and many that it does not, by schemathesis: an answer has
its documented status, type and form, what is allowed is answered, and what is not is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from benchmarks.index import fill
from blockchaintracer.extras.search import Index, query
from blockchaintracer.extras.serve.exchange import MAX_QUERY
from blockchaintracer.extras.serve.openapi import SCHEMAS
from tests.support.served import Served

EXAMPLES = 25
_PATHS = ("health", "registry", "groups", "records", "record", "lineage", "proof", "file", "manifest")


def _hex(digits: int) -> Any:
    return st.text("0123456789abcdef", min_size=digits, max_size=digits)


def know_formats(index: Index) -> None:
    """Teach schemathesis what the document's formats mean: of ids and addresses, half are in the index."""
    rows = query(index, limit=50)
    ids, authors = [row.id for row in rows], [row.author for row in rows]
    compared = st.sampled_from(
        ["metrics.accuracy > 0.5", "params.lr<1", "not metrics.loss = 3", "params.optimizer = adam"]
    )
    related = st.sampled_from(ids).map(lambda record: f"descendants of {record}")
    condition = st.recursive(
        compared | related,
        lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda it: f"({' '.join(it)})"),
        max_leaves=5,
    )
    formats = {
        "record-id": st.sampled_from(ids) | _hex(64).map(lambda text: f"0x{text}"),
        "sha256": st.sampled_from([row.subject for row in rows]) | _hex(64),
        "address": st.sampled_from(authors) | _hex(40).map(lambda text: f"0x{text}"),
        "condition": condition,
        "field": st.sampled_from(["time", "metrics.accuracy", "params.layers", 'metrics."top-1 (%)"']),
        "kind": st.sampled_from(["dataset", "Run", "200"]),
        "cid": st.just("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"),
        "words": st.text("abcdefg*-\"'", min_size=1).filter(lambda text: any(map(str.isalnum, text))),
    }
    for name, strategy in formats.items():
        schemathesis.openapi.format(name, strategy)


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with Index(tmp_path_factory.mktemp("index") / "index.sqlite") as index:
        fill(index, 300)
        know_formats(index)
        schema = schemathesis.openapi.from_asgi("/v1/openapi.json", Served(index.path).app)
        found = [result.ok() for result in schema.get_all_operations()]
        yield {operation.definition.raw["operationId"]: operation for operation in found}


def test_every_path_is_tried(operations: dict[str, Any]) -> None:
    assert operations.keys() == {*_PATHS}
    assert {name.lower() for name in SCHEMAS} >= {*_PATHS}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "not allowed"])
@pytest.mark.parametrize("path", _PATHS)
def test_answers_are_as_documented(operations: dict[str, Any], path: str, mode: GenerationMode) -> None:
    operation = operations[path]
    if mode is GenerationMode.NEGATIVE and path in ("health", "registry"):
        pytest.skip("it has no parameters, so that no question is wrong")

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def ask(case: Any) -> None:
        answer = case.call()
        if answer.status_code == 414:
            # refused by its length, whatever else is wrong with it
            assert len(answer.request.url) > MAX_QUERY
        else:
            case.validate_response(answer)

    ask()
