"""Numbers that a text marks as recorded: in Markdown by a comment behind the number, in LaTeX by a macro around it.

What is shown as code, or not shown at all, marks nothing. Any other mark is read or is an error: none is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.check.stated_number import read_last_number, read_number


@dataclass(frozen=True)
class Mark:
    """A marked number as it is written, and what its mark says."""

    written: str
    record: str
    metric: str
    where: str


_BEGIN = re.compile(r"<!--\s*recorded\s*:", re.IGNORECASE)
_COMMENT = re.compile(r"<!--(?!-?>)(.*?)-->", re.DOTALL)
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)\b[^<>]*>")
_LOOKS, _APART = {"b", "strong", "em", "i", "span", "code", "u", "mark"}, {"td", "th", "tr", "p", "li", "div", "br"}
"""Tags that change how a number looks, and those that stand between two. Any other may change what it says: <sup>."""
_UNREADABLE = "\ufffc"
_HTML, _CODE = "html_inline", "code_inline"
_HIDDEN = re.compile(
    r"\\(?:verb\*?|lstinline)(?P<end>[^A-Za-z\s*\[{])[^\n]*?(?P=end)"
    r"|\\(?:url|nolinkurl|path|href|lstinline)\s*\{[^{}]*\}"
    r"|\\begin\{(?P<name>comment|[vV]erbatim\*?|lstlisting|minted)\}.*?\\end\{(?P=name)\}"
    r"|\\iffalse(?![A-Za-z]).*?(?=\\(?:fi|else)(?![A-Za-z]))"
    r"|%[^\n]*"
    r"|(?P<shown>\\.)",
    re.DOTALL,
)
_MACRO = re.compile(r"\\recorded(?![A-Za-z@])")
_DEFINED = re.compile(r"\\(?:(?:(?:re)?new|provide|DeclareRobust|NewDocument)[Cc]ommand\*?|def|let)\s*\{?\s*\Z")


def marks_in_markdown(text: str, path: Path) -> Iterator[Mark]:
    """Yield the marks of the Markdown text of a file."""
    before = ""
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        first = block.map[0] + 1 if block.map else 0
        pieces = iter([(block.content, first, _HTML)]) if block.type == "html_block" else _pieces(block, first)
        for content, line, kind in pieces:
            end, where = 0, f"{path}:{line}"
            for comment in _COMMENT.finditer(content) if kind == _HTML else ():
                before += _without_tags(content[end : comment.start()])
                end = comment.end()
                where = f"{path}:{line + content.count(chr(10), 0, comment.start())}"
                if _BEGIN.match(comment[0]):
                    yield _marked(before, comment[1], where)
                    before += ";"
            if kind != _CODE and _BEGIN.search(content, end):
                raise InputError(f"{where}: expected `<!-- recorded: …` to end in `-->`")
            before += _without_tags(content[end:]) if kind == _HTML else content
        if block.type in ("fence", "code_block", "hr", "list_item_open"):
            before += _UNREADABLE + "\n"
        before = before[-1000:] + "\n" * (block.nesting < 0)


def _pieces(block: Token, line: int) -> Iterator[tuple[str, int, str]]:
    """What a block shows, with its lines and what it is. Code stands between dollars, as a formula does."""
    for token in block.children or ():
        if token.type == "code_inline":
            yield f"${token.content}$", line, _CODE
        elif token.type in ("text", _HTML):
            yield token.content, line, token.type
        elif shown := {"softbreak": " ", "hardbreak": "\n", "image": _UNREADABLE}.get(token.type):
            yield shown, line, token.type
        line += token.content.count("\n") + token.type.endswith("break")


def _marked(before: str, content: str, where: str) -> Mark:
    parts = content.partition(":")[2].split(None, 1)
    if len(parts) != 2:
        raise InputError(f"{where}: expected `<!-- recorded: ID METRIC -->` behind a number")
    with _at(where):
        return Mark(read_last_number(before).written, parts[0], parts[1].strip(), where)


def _without_tags(html: str) -> str:
    def shown(tag: re.Match[str]) -> str:
        name = tag[1].lower()
        return "" if name in _LOOKS else "\n" if name in _APART else _UNREADABLE

    return unescape(_TAG.sub(shown, html))


def marks_in_latex(text: str, path: Path) -> Iterator[Mark]:
    """Yield the marks of the LaTeX text of a file."""
    shown = _HIDDEN.sub(lambda hidden: hidden["shown"] or re.sub(r"[^\n]", " ", hidden[0]), text)
    for macro in _MACRO.finditer(shown):
        if _DEFINED.search(shown, max(0, macro.start() - 100), macro.start()):
            continue
        where = f"{path}:{shown.count(chr(10), 0, macro.start()) + 1}"
        end, arguments = macro.end(), []
        for _ in range(3):
            content, end = _braced(shown, end, where)
            arguments.append(content)
        with _at(where):
            number = read_number(arguments[0]).written
        yield Mark(number, arguments[1].strip(), arguments[2].replace("\\_", "_").strip(), where)


def _braced(text: str, at: int, where: str) -> tuple[str, int]:
    """Return what stands between braces, and where it ends."""
    start = at + len(text[at:]) - len(text[at:].lstrip())
    depth, end = 0, start
    while text[start : start + 1] == "{" and end < len(text):
        letter = text[end]
        depth += (letter == "{") - (letter == "}")
        end += 1 + (letter == "\\")
        if not depth:
            return text[start + 1 : end - 1], end
    raise InputError(f"{where}: expected \\recorded{{VALUE}}{{ID}}{{METRIC}}")


@contextmanager
def _at(where: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error.message}", hint=error.hint) from None
