"""What a text marks is the whole number that stands there, or an error that names line and text.

With 345 on record, `12,345`, `12 345`, `12'345` and `0,345` passed in Markdown, and `0.90-0.5` as -0.5; `0e5` passed
for 12345, `1e9999999` ended in a traceback, `<!-- Recorded:` was passed over, and examples in code were checked.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.check.claims import read_claims
from tests.support.labs import ROOT

pytestmark = pytest.mark.fast

ID = "ab" * 32
MARK = f"<!-- recorded: {ID} acc -->"


def claims(tmp_path: Path, text: str, suffix: str = "md") -> list[str]:
    file = tmp_path / f"paper.{suffix}"
    file.write_text(text)
    return [claim.value for claim in read_claims(file)]


@pytest.mark.parametrize(
    "text", ["12 345", "12'345", "0,345", "0.90-0.5", "0e5", "1e9999999", "<sup>1</sup>345", "1<sup>2</sup>"]
)
@pytest.mark.parametrize("around", ["{}", "**{}**", "| {} |", "`{}`", "a{}", "<b>{}</b>", "> {}", "- a {}"])
def test_no_tail_of_a_number_is_taken_for_it(tmp_path: Path, text: str, around: str) -> None:
    end = around.partition("{}")[2].replace(" |", "")
    marked = around.partition("{}")[0] + text + end + MARK
    if text == "12 345" and around == "`{}`":
        assert claims(tmp_path, f"of {marked}") == ["12 345"]
        return
    with pytest.raises(InputError, match=r"paper\.md:2: .*got"):
        claims(tmp_path, f"\n{marked}")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f"**93.4 %**{MARK}", ["93.4%"]), (f"`1.25e-3` {MARK}", ["1.25e-3"]),
        (f"0.93<!-- Recorded: {ID} acc -->", ["0.93"]),
        (f"0.93<!--RECORDED:{ID} acc-->", ["0.93"]), (f"12,345{MARK}", ["12,345"]),
        (f"12&thinsp;345{MARK}", ["12\u2009345"]),
        (f"1**2**{MARK}", ["12"]), (f"1<!-- x -->2{MARK}", ["12"]), (f"$0.93\\pm0.02$ {MARK}", ["0.93±0.02"]),
        (f"0.93 +- 0.02{MARK} and 1.2 \u00d7 10\u207b\u00b3{MARK}", ["0.93±0.02", "1.2e-3"]),
        (f"[0.5](x){MARK}", ["0.5"]),
        (f"| a | b |\n|---|---|\n| 12 | 345{MARK} |", ["345"]), (f"<td>12</td><td>345{MARK}</td>", ["345"]),
        (f"<div>\n0.5{MARK}, 0.6{MARK}\n</div>", ["0.5", "0.6"]), (f"0.93\n{MARK}", ["0.93"]), (f"# 7{MARK}", ["7"]),
        (f"1. 345{MARK}", ["345"]), ("no mark 12", []), (f"0.5<!-- recorded: {ID}\n acc -->", ["0.5"]),
        (f"$93\\%${MARK}", ["93%"]),
    ],
)  # fmt: skip
def test_whole_numbers_are_read(tmp_path: Path, text: str, values: list[str]) -> None:
    assert claims(tmp_path, text) == values


@pytest.mark.parametrize(
    "text",
    [
        f"12&#44;&#51;45{MARK.replace('acc', '')}", f"![345](x){MARK}",
        f"345<br>x{MARK}",
        f"<p>12&#39;345{MARK}</p>", f"0.9\n\n- {MARK}", f"0.9\n\n```\n```\n{MARK}", f"0.9<!-- recorded: {ID} acc", MARK,
        "0.9<!-- recorded: -->", f"<div>0.9<!-- recorded: {ID} acc\n\nx", f"345<img src=x>{MARK}",
        f"12\n345{MARK}", f"5\u00b2{MARK}",
    ],
)  # fmt: skip
def test_a_mark_that_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"paper\.md:\d+: "):
        claims(tmp_path, text)


@pytest.mark.parametrize(
    "code",
    ["```\n{}\n```", "~~~md\n{}\n~~~", "    {}", "`{}`", "``{}``", "- a\n\n  ```\n  {}\n  ```", "> ```\n> {}\n> ```",
     "`a\n{}`"],
)  # fmt: skip
def test_what_is_shown_as_code_marks_nothing(tmp_path: Path, code: str) -> None:
    assert claims(tmp_path, code.format(f"no number <!-- recorded: {ID} acc -->") + f"\n\n0.5{MARK}") == ["0.5"]


def test_the_page_about_marks_states_none() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert read_claims(page) == [], page


TEX = f"\\recorded{{0.5}}{{{ID}}}{{acc}}"


@pytest.mark.parametrize(
    "hidden",
    [
        "% {}\n", "\\\\% {}\n", "\\begin{comment}\n{}\n\\end{comment}", "\\begin{verbatim}{}\\end{verbatim}",
        "\\verb|{}|",
        "\\begin{lstlisting}[language=x]\n{}\\end{lstlisting}", "\\iffalse {} \\fi",
        "\\begin{minted}{tex}\n{}\n\\end{minted}",
        "\\begin{Verbatim*}{}\\end{Verbatim*}", "\\lstinline!{}!", "\\newcommand{\\recorded}[3]{#1}%",
        "\\def\\recorded#1#2#3{#1}%",
        "\\renewcommand\\recorded[3]{#1}%", "\\recordedly{x}", "\\providecommand*{\\recorded}[3]{#1}% \\verb|a|",
    ],
)  # fmt: skip
def test_what_latex_does_not_show_marks_nothing(tmp_path: Path, hidden: str) -> None:
    text = hidden.replace("{}", f"\\recorded{{none}}{{{ID}}}{{x}}")
    assert claims(tmp_path, f"{text}\n{TEX}", "tex") == ["0.5"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f"93\\% of {TEX}, 1\\% of {TEX}", ["0.5", "0.5"]), (f"\\url{{a%20b}} {TEX}", ["0.5"]),
        (f"\\href{{a%b}}{{{TEX}}}", ["0.5"]),
        (f"\\iffalse x \\else {TEX} \\fi", ["0.5"]), (TEX.replace("0.5", r"$1.2 \times 10^{-3}$"), ["1.2e-3"]),
        (TEX.replace("0.5", r"\textbf{12\,345}"), ["12\u2009345"]),
        (TEX.replace("0.5", r"0.93 \pm 0.02"), ["0.93±0.02"]),
        (TEX.replace("}{", "} {"), ["0.5"]), (f"\\newcommand{{\\acc}}{{{TEX}}}", ["0.5"]),
        (TEX.replace("0.5", r"\num{0.93(2)}"), ["0.93(2)"]),
        (TEX.replace("0.5", r"12{,}345"), ["12,345"]), (TEX.replace("0.5", r"93\,\%"), ["93%"]),
    ],
)  # fmt: skip
def test_what_latex_shows_is_read(tmp_path: Path, text: str, values: list[str]) -> None:
    assert claims(tmp_path, text, "tex") == values


@pytest.mark.parametrize(
    "definition",
    [
        "\\newcommand{\\recorded}[3]{0.99}", "\\renewcommand\\recorded[3]{9#1}", "\\def\\recorded#1#2#3{#2}",
        "\\let\\recorded\\other", "\\gdef\\recorded#1#2#3{0.99}", "\\newcommand{\\recorded}[3]{#1\\%}",
        "\\NewDocumentCommand{\\recorded}{mmm}{0.99}", "\\RenewDocumentCommand{\\recorded}{mmm}{0.99}",
        "\\expandafter\\def\\csname recorded\\endcsname#1#2#3{0.99}", "\\newcommand{\\recorded}[3][1]{#1}",
    ],
)  # fmt: skip
def test_a_macro_that_shows_another_number_is_an_error(tmp_path: Path, definition: str) -> None:
    """The paper showed 0.99 wherever `check` compared 0.5."""
    with pytest.raises(InputError, match=r"paper\.tex:2: "):
        claims(tmp_path, f"\n{definition}\n{TEX}", "tex")


@pytest.mark.parametrize(
    "definition", ["\\NewDocumentCommand{\\recorded}{m m m}{#1}", "\\newcommand*\\recorded [3] { #1 }"]
)
def test_a_macro_that_shows_its_number_is_none(tmp_path: Path, definition: str) -> None:
    assert claims(tmp_path, f"{definition}\n\n{TEX}", "tex") == ["0.5"]


@pytest.mark.parametrize(
    "text", [TEX[:-1], TEX.replace("}{", "}"), "\\recorded 5", TEX.replace("0.5", "0.5 \\unit{s}"),
             TEX.replace("0.5", "0.9%\n3")]
)  # fmt: skip
def test_a_macro_that_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"paper\.tex:2: "):
        claims(tmp_path, f"\n{text}", "tex")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["```", MARK, TEX, "<!--", "-->", "<b>", "&nbsp;", *"`*_<>!-~#|1,. \n$\\&;[](){}%"])).map(
        "".join
    )
)
def test_any_text_is_read_or_is_an_error(text: str) -> None:
    with TemporaryDirectory() as folder:
        for suffix in ("md", "tex"):
            with suppress(InputError):
                claims(Path(folder), text, suffix)
