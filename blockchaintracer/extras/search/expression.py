"""Conditions on parameters, metrics and lineage, as people type them: ``metrics.accuracy > 0.9 and params.lr <= 0.01``.

    condition  := all ("or" all)*
    all        := term ("and" term)*
    term       := "not" term | "(" condition ")" | lineage | field operator value
    lineage    := ("ancestors" | "descendants") "of" RECORD_ID
    field      := ("params" | "metrics") ("." NAME)+             the last may be quoted: metrics."top-1 acc (%)"
    operator   := "=" | "==" | "!=" | "<" | "<=" | ">" | ">="
    value      := number | quoted text | word

Numbers compare with numbers and texts with texts; booleans are the words true and false. A comparison holds only for
records that have the field, ``!=`` included; ``not (…)`` holds for all others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import is_hash, written_id

MAX_LENGTH = 10_000
MAX_TERMS = 200
MAX_DEPTH = 50

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<operator><=|>=|==|!=|=|<|>)
    | (?P<bracket>[()])
    | (?P<word>\w[\w./@:%+-]*)
    | (?P<other>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_SPACES = {"params": "params", "param": "params", "parameters": "params", "metrics": "metrics", "metric": "metrics"}
_HINT = "Write it as in: metrics.accuracy > 0.9 and (params.lr <= 0.01 or params.optimizer = 'adam')"


@dataclass(frozen=True, slots=True)
class Compare:
    """A field against a value; `operator` is SQL's."""

    field: str
    operator: str
    value: float | int | str


@dataclass(frozen=True, slots=True)
class Related:
    """Whether the record is an ancestor (or else a descendant) of another."""

    ancestors: bool
    record_id: str


@dataclass(frozen=True, slots=True)
class Not:
    """A condition that must not hold."""

    term: Condition


@dataclass(frozen=True, slots=True)
class All:
    """Conditions that must all hold."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Conditions of which one must hold."""

    terms: tuple[Condition, ...]


Condition = Compare | Related | Not | All | Either


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse(text: str, parse_id: Callable[[str], str] = written_id) -> Condition:
    """The condition of a text; `parse_id` reads the record ids in it."""
    if len(text) > MAX_LENGTH:
        raise InputError(f"expected an expression of at most {MAX_LENGTH} characters, got {len(text)}", position=1)
    return _Parser(text, parse_id).parse()


class _Parser:
    def __init__(self, text: str, parse_id: Callable[[str], str]) -> None:
        self._parse_id = parse_id
        # what is no Unicode can't be looked up either; every character keeps its place
        self._tokens = _tokens(text.encode("utf-8", "replace").decode())
        self._at = 0
        self._terms = 0

    def parse(self) -> Condition:
        condition = self._any(0)
        if self._next.kind != "end":
            _refuse("'and', 'or' or the end", self._next)
        return condition

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _takes_word(self, word: str) -> bool:
        is_next = self._next.kind == "word" and self._next.text.lower() == word
        self._at += is_next
        return is_next

    def _any(self, depth: int) -> Condition:
        return self._joined("or", Either, lambda: self._joined("and", All, lambda: self._term(depth)))

    def _joined(self, word: str, join: type[All | Either], take: Callable[[], Condition]) -> Condition:
        terms = [take()]
        while self._takes_word(word):
            terms.append(take())
        return terms[0] if len(terms) == 1 else join(tuple(terms))

    def _term(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            _refuse(f"at most {MAX_DEPTH} levels of brackets and 'not'", self._next)
        if self._takes_word("not"):
            return Not(self._term(depth + 1))
        if self._next.kind == "bracket" and self._next.text == "(":
            self._take()
            condition = self._any(depth + 1)
            closing = self._take()
            if (closing.kind, closing.text) != ("bracket", ")"):
                _refuse("')'", closing)
            return condition
        self._terms += 1
        if self._terms > MAX_TERMS:
            _refuse(f"at most {MAX_TERMS} comparisons", self._next)
        if self._next.kind == "word" and self._next.text.lower() in ("ancestors", "descendants"):
            return self._related()
        return self._compare()

    def _related(self) -> Related:
        ancestors = self._take().text.lower() == "ancestors"
        if not self._takes_word("of"):
            _refuse("'of' and a record id", self._next)
        token = self._take()
        if not is_hash(token.text):
            _refuse("a record id, 0x and 64 hex digits", token)
        return Related(ancestors, self._parse_id(token.text))

    def _compare(self) -> Compare:
        field = self._field()
        token = self._take()
        if token.kind != "operator":
            _refuse("one of = != < <= > >=", token)
        return Compare(field, token.text.replace("==", "="), _value(self._take()))

    def _field(self) -> str:
        token = self._take()
        space, dot, name = token.text.partition(".")
        if token.kind != "word" or space.lower() not in _SPACES or not dot:
            _refuse("a field such as metrics.accuracy or params.lr", token)
        is_adjacent = token.position + len(token.text) == self._next.position
        if name[-1:] in ("", ".") and self._next.kind == "text" and is_adjacent:
            name += _unquoted(self._take().text)
        if not name or name.endswith("."):
            _refuse("a name after the dot", self._next)
        return f"{_SPACES[space.lower()]}.{name}"


def _tokens(text: str) -> list[_Token]:
    text = text.rstrip()
    tokens = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        tokens.append(_Token(kind, match[kind], match.start(kind) + 1))
        if kind == "other":
            _refuse("a field, a value, an operator or a bracket", tokens[-1])
    return [*tokens, _Token("end", "", len(text) + 1)]


def _value(token: _Token) -> float | int | str:
    if token.kind == "text":
        return _unquoted(token.text)
    if token.kind == "word" and token.text.lower() not in ("and", "or", "not"):
        return token.text
    if token.kind != "number":
        _refuse("a number or text", token)
    number = float(token.text)
    if not math.isfinite(number):
        _refuse("a finite number", token)
    # SQLite keeps integers of 64 bits exactly
    return int(token.text) if token.text.lstrip("+-").isdecimal() and abs(number) < 2**62 else number


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _refuse(expected: str, token: _Token) -> NoReturn:
    came = repr(token.text[:40]) if token.kind != "end" else "the end"
    raise InputError(
        f"expected {expected} at character {token.position} of the expression, got {came}",
        hint=_HINT,
        position=token.position,
    )
