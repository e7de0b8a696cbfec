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
from unicodedata import category, normalize

from markdown_it import MarkdownIt
from markdown_it.token import Token

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.check.stated_number import read_last_number, read_number, require_apart, require_ended


@dataclass(frozen=True)
class Mark:
    """A marked number as it is written, and what its mark says."""

    written: str
    record: str
    metric: str
    where: str


_BEGIN = re.compile(r"<!--\s*recorded\s*:", re.IGNORECASE)
_LIKE = re.compile(r"\W*recorded\W*(?::|(?:0x)?[0-9a-f]{8})", re.IGNORECASE)
_COMMENT = re.compile(r"<!--(?!-?>)(.*?)-->", re.DOTALL)
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)\b[^<>]*>")
_LOOKS, _APART = {"b", "strong", "em", "i", "span", "code", "u", "mark"}, {"td", "th", "tr", "p", "li", "div", "br"}
"""Tags that change how a number looks, and those that stand between two. Any other may change what it says: <sup>."""
_UNREADABLE = "\ufffc"
_HTML, _CODE = "html_inline", "code_inline"
_HIDDEN = re.compile(
    r"(?P<printed>\\(?:verb\*?|lstinline)(?P<end>[^A-Za-z\s*\[{])[^\n]*?(?P=end)"
    r"|\\(?:url|nolinkurl|path|lstinline)\s*\{[^{}]*\})|\\href\s*\{[^{}]*\}"
    r"|\\begin\{(?P<name>comment|[vV]erbatim\*?|lstlisting|minted)\}.*?\\end\{(?P=name)\}"
    r"|\\iffalse(?![A-Za-z]).*?(?=\\(?:fi|else)(?![A-Za-z]))"
    r"|(?P<joined>%[^\n]*(?:\n[ \t]*(?!\n))?)"
    r"|(?P<shown>\\.)",
    re.DOTALL,
)
_MACRO = re.compile(r"\\recorded(?![A-Za-z@])|\\csname\s*recorded\s*\\endcsname")
_DEFINED = re.compile(r"\\(?:(?:(?:re)?new|provide|DeclareRobust|NewDocument)[Cc]ommand\*?|def|let)\s*\{?\s*\Z")
_PLAIN = re.compile(r"\s*\}?\s*(?:\[3\]|\{\s*m\s*m\s*m\s*\}|#1#2#3)\s*\{\s*#1\s*\}")
"""The rest of a definition that shows the number as it is, and nothing else."""
_BESIDE = (
    (r"\0", ""),
    (r"(?<!\n)[ \t]*\n(?![ \t]*\n)[ \t]*", " "),
    (
        r"\\(?:(?:(?:re)?new|provide|DeclareRobust|NewDocument)[Cc]ommand\*?|def)\s*\{?\s*\\[A-Za-z]+\s*\}?\s*"
        r"(?:\[\d\]|[#\d]*)\s*\{(?:#1\})?|\\multicolumn\{[^{}]*\}\{[^{}]*\}\{"
        r"|\\(?:begin|end)\{[^{}]*\}(?:[\[{][^\[\]{}]*[\]}])*|\\\\(?:\[[^\]]*\])?|(?<!\\)&"
        r"|\\(?:[a-z]*(?:hline|rule)|item|par|centering|(?:sub)*section\*?|caption|footnote)(?![A-Za-z])\s*\{?",
        "\n",
    ),
    (r"\\(?:fi|else)(?![A-Za-z])[ \t]*|\\[!/()\[\]]|\$|\{\}", ""),
    (r"\s*\\(?:cite[a-z]*|(?:eq|auto|c)?ref|label)\s*(?:\[[^\]]*\])*\{[^{}]*\}", "]"),
    (r"\\[,;: ]|~|\\q?quad(?![A-Za-z])", " "),
    (r"\\(?:approx|sim)(?![A-Za-z])\s*", "\u2248"),
    (
        r"\\(?:text(?:bf|it|sl|tt|rm)?|math(?:bf|rm|it)|emph|underline|boldsymbol|bm|mbox|ensuremath|bf(?:series)?|it|em)"
        r"(?![A-Za-z])\s*\{?|\}|(?:^|(?<=\s))\{",
        "",
    ),
    (r"\\(?:[A-Za-z@]+\*?\s*|.)|\{", _UNREADABLE),
)
"""How LaTeX shows what stands beside a number: where a line or a cell begins, what only looks, what cannot be read."""


def marks_in_markdown(text: str, path: Path) -> Iterator[Mark]:
    """Yield the marks of the Markdown text of a file."""
    shown, marks = "", list[tuple[int, str, str]]()
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        first = block.map[0] + 1 if block.map else 0
        pieces = iter([(block.content, first, _HTML)]) if block.type == "html_block" else _pieces(block, first)
        for content, line, kind in pieces:
            end, where = 0, f"{path}:{line}"
            for comment in _COMMENT.finditer(content) if kind == _HTML else ():
                shown += _without_tags(content[end : comment.start()])
                end = comment.end()
                where = f"{path}:{line + content.count(chr(10), 0, comment.start())}"
                if _BEGIN.match(comment[0]):
                    marks.append((len(shown), comment[1], where))
                elif _LIKE.match("".join(it for it in normalize("NFKC", comment[1]) if category(it) != "Cf")):
                    raise InputError(f"{where}: expected `<!-- recorded: ID METRIC -->`, got {comment[0][:60]!r}")
            if kind != _CODE and _BEGIN.search(content, end):
                raise InputError(f"{where}: expected `<!-- recorded: …` to end in `-->`")
            shown += _without_tags(content[end:]) if kind == _HTML else content
        if block.type in ("fence", "code_block", "hr", "list_item_open"):
            shown += _UNREADABLE + "\n"
        shown += "\n" * (block.nesting < 0 or block.type == "html_block")
    shown, start = f"{shown}\n", 0
    for at, content, where in marks:
        before = _UNREADABLE * (at - 1000 > start) + shown[max(start, at - 1000) : at]
        with at_place(where):
            number = read_last_number(before, shown[at : at + 100] + _UNREADABLE).written
        start, parts = at, content.partition(":")[2].split(None, 1)
        if len(parts) != 2:
            raise InputError(f"{where}: expected `<!-- recorded: ID METRIC -->` behind a number")
        yield Mark(number, parts[0], parts[1].strip(), where)


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


def _without_tags(html: str) -> str:
    def shown(tag: re.Match[str]) -> str:
        name = tag[1].lower()
        return "" if name in _LOOKS else "\n" if name in _APART else _UNREADABLE

    return unescape(_TAG.sub(shown, re.sub(r"\s*\n\s*", " ", html)))


def marks_in_latex(text: str, path: Path) -> Iterator[Mark]:
    """Yield the marks of the LaTeX text of a file."""
    shown = _HIDDEN.sub(_without_hidden, text) + "\n\n"
    for macro in _MACRO.finditer(shown):
        where = f"{path}:{text.count(chr(10), 0, macro.start()) + 1}"
        is_definition = _DEFINED.search(shown, max(0, macro.start() - 100), macro.start())
        if is_definition and _PLAIN.match(shown, macro.end()):
            continue
        if is_definition or macro[0].startswith("\\csname"):
            raise InputError(f"{where}: expected \\newcommand{{\\recorded}}[3]{{#1}}, which shows the number as it is")
        end, arguments = macro.end(), []
        for _ in range(3):
            content, end = _braced(shown, end, where)
            arguments.append(content)
        with at_place(where):
            start = max(0, macro.start() - 1000)
            before = _beside(_UNREADABLE * (start > 0) + shown[start : macro.start()]).rpartition("\n")[2]
            require_apart(before, before[-20:] + macro[0])
            require_ended(_beside(shown[end : end + 1000] + _UNREADABLE), arguments[0])
            number = read_number(arguments[0]).written
        record, metric = (argument.replace("\0", "").strip() for argument in arguments[1:])
        yield Mark(number, record, metric.replace("\\_", "_"), where)


def _without_hidden(hidden: re.Match[str]) -> str:
    """What is not shown, as long as it is: a comment joins two lines, and what is printed stands for a word."""
    blank = "\0" if hidden["joined"] else "v" if hidden["printed"] else " "
    return hidden["shown"] or re.sub(r"." if hidden["joined"] else r"[^\n]", blank, hidden[0], flags=re.DOTALL)


def _beside(text: str) -> str:
    """What LaTeX shows beside a number, on its line."""
    for pattern, shown in _BESIDE:
        text = re.sub(pattern, shown, text)
    return text


def _braced(text: str, at: int, where: str) -> tuple[str, int]:
    """Return what stands between braces, and where it ends."""
    start = at + len(text[at:]) - len(text[at:].lstrip(" \t\n\0"))
    depth, end = 0, start
    while text[start : start + 1] == "{" and end < len(text):
        letter = text[end]
        depth += (letter == "{") - (letter == "}")
        end += 1 + (letter == "\\")
        if not depth:
            return text[start + 1 : end - 1], end
    raise InputError(f"{where}: expected \\recorded{{VALUE}}{{ID}}{{METRIC}}")


@contextmanager
def at_place(where: str) -> Iterator[None]:
    """Name the place in an error about it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error.message}", hint=error.hint) from None
