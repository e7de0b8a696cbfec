"""What is hashed, checked and emitted is read from calldata separately. Calldata that no encoder makes must not part
them: parents before, over or far behind the key, lengths without end, a key that begins before calldata."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, DATA, MALLORY, domain, refusal
from tests.model.eip712 import Key, word
from tests.model.registry import NO_END, RECORDER

pytestmark = pytest.mark.evm

EMPTY = DATA._replace(subject=b"\3" * 32)


def signed(value: int) -> bytes:
    return (value % 2**256).to_bytes(32, "big")


def raw(registry, function: str, *words: bytes) -> bytes:
    nothing = () if function == "recordMany" else DATA
    return registry.interface.encode_call(function, nothing)[:4] + b"".join(words)


def head(key: Key, offset: int) -> bytes:
    """A key's own words, its parents said to lie `offset` bytes from its beginning."""
    return b"".join(map(word, key[:-1])) + signed(offset)


@pytest.fixture
def parent(registry) -> bytes:
    return registry.send(ALICE.address, "record", DATA)[0]


def test_parents_before_their_key(registry, parent) -> None:
    """Offsets are signed: this one leads backwards."""
    child = EMPTY._replace(parents=((parent, 4),))
    links = word(1) + parent + word(4)
    returned, (event,) = registry.send_raw(
        ALICE.address, raw(registry, "record", word(0x20 + len(links)), links, head(child, -len(links)))
    )
    assert returned == domain(registry).record_id(child)
    assert event.arguments[-1] == child.parents
    assert registry.read("isParent", child, parent, 4)


def test_parents_over_their_own_key(registry, parent) -> None:
    """The manifest serves as the count, and what follows it as the first parent."""
    key = EMPTY._replace(manifest=word(1))
    body = head(key, 5 * 32) + word(4)
    met = refusal(lambda: registry.send_raw(ALICE.address, raw(registry, "record", word(0x20), body)))
    assert met == ("UnknownParent", (signed(5 * 32),)), "the parent is the offset itself, which is no record"
    # the manifest is the count, as before, and no parent follows: the lineage is empty in the id and in the event
    key = EMPTY._replace(manifest=word(0))
    returned, (event,) = registry.send_raw(ALICE.address, raw(registry, "record", word(0x20), head(key, 5 * 32)))
    assert (returned, event.arguments[-1]) == (domain(registry).record_id(key), ())


@pytest.mark.parametrize("before_the_end", [1, 31, 32, 33, 64, 2**200])
def test_parents_before_calldata(registry, before_the_end) -> None:
    """Nothing can be read there, so there are none."""
    at = 4 + 32
    body = head(EMPTY, -at - before_the_end)
    returned, (event,) = registry.send_raw(ALICE.address, raw(registry, "record", word(0x20), body))
    assert (returned, event.arguments[-1]) == (domain(registry).record_id(EMPTY), ())


@pytest.mark.parametrize("count", [2, 2**58, 2**64 - 1, 2**64, 2**250, 2**256 - 1])
def test_more_parents_than_calldata_holds(registry, parent, count) -> None:
    body = head(EMPTY, 7 * 32) + signed(count) + parent + word(4)
    for function in ("record", "idOf", "cancel"):
        data = raw(registry, function, word(0x20), body)
        assert refusal(lambda given=data: registry.send_raw(ALICE.address, given)) == ("", ())


def test_a_batchs_key_that_begins_before_calldata(registry) -> None:
    """Its hash is taken over zeros, while its author and what follows wrap around to real bytes. The group is always
    among the zeros, and group 0 has no member."""
    back = 28
    # selector, then at 4 what the wrapped key's second field and those after it find: the array's place is the author
    fields = word(EMPTY.subject_type) + EMPTY.subject + word(EMPTY.kind) + EMPTY.manifest + signed(0)
    array = 32 + len(fields)
    author = f"0x{array:040x}"
    data = raw(registry, "recordMany", word(array), fields, word(1), signed(-back - (4 + array + 32)))
    assert data[32 - back : 64 - back] == word(author)
    met = refusal(lambda: registry.send_raw(author, data))
    assert met == ("MissingRole", (0, author, RECORDER))
    assert refusal(lambda: registry.send_raw(MALLORY.address, data))[0] == "NotAuthor"


@pytest.mark.parametrize("field", ["group", "author", "subject_type", "kind"])
@pytest.mark.parametrize("function", ["recordMany", "recordBySig", "attestWithEvidenceBySig"])
def test_dirt_above_a_field_is_refused_at_every_door(registry, function, field) -> None:
    """Even where its author has signed the key with the dirt in it."""
    dirt = int.from_bytes(word(getattr(DATA, field))) | 1 << 248
    hashed = DATA._replace(**{field: dirt})
    signature = ALICE.sign(domain(registry).record_authorization(hashed, NO_END))
    arguments = {
        "recordMany": [(DATA,)],
        "recordBySig": [DATA, NO_END, signature],
        "attestWithEvidenceBySig": [1, ALICE.address, bytes(32), 1, DATA, NO_END, signature],
    }
    clean = registry.interface.encode_call(function, *arguments[function])
    at = clean.index(b"".join(map(word, DATA[:-1]))) + 32 * Key._fields.index(field)
    dirty = clean[:at] + b"\1" + clean[at + 1 :]
    name, values = refusal(lambda: registry.send_raw(ALICE.address, dirty))
    unstored = function == "attestWithEvidenceBySig"
    assert (name, values[:1]) == (("EvidenceUnusable", (domain(registry).record_id(hashed),)) if unstored else ("", ()))
