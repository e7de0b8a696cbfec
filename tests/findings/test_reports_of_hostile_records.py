"""A record's names and values are its author's choice, and a report is read in a browser, an editor, a spreadsheet and
on paper. Nothing that a record says may run, load, link or draw anything there; and a template that a stranger hands
over may neither run code nor read files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import chdir
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from blockchaintracer import MLTracer
from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.report import gather, make
from blockchaintracer.extras.report.documentation import Documentation
from blockchaintracer.extras.report.fill_template import markdown
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.plain_text import printable
from tests.support.labs import shared_lab

pytestmark = pytest.mark.node

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "| cell | broken |",
    "`code` *bold* _em_ <http://evil.example> www.evil.example https://evil.example",
    "---\nlicense: mit\n---",
    "{{ 7 * 7 }} {% include '/etc/passwd' %}",
    '#set page(fill: red) $x$ #read("/etc/passwd")',
    "$\\frac{$ unbalanced",
    "\u202egnihsihp\u202c\u200b",
    '=HYPERLINK("http://evil.example","click")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "-2+3",
    "</style><style>*{display:none}",
    "1. first\n2. second",
    "</textarea>\x00\x1b[31m".replace("\x00", ""),
]
FIELDS = {"limitations": HOSTILE[0], "preprocessing": HOSTILE[2], "model_version": HOSTILE[5], "contact": HOSTILE[3]}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def files(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("run")
    with chdir(folder):
        Path("data.csv").write_text("1,2\n")
        tracer = MLTracer(home=lab.home.path)
        with tracer.start_run("=cmd|'/C calc'!A0 <script>alert(1)</script> $\\frac{$") as run:
            run.set_description("\n".join(HOSTILE))
            run.log_params({"algorithm": HOSTILE[1], "test_fraction": 0.5})
            run.log_params({" ".join(printable(text).split()): text for text in HOSTILE})
            run.log_input("data.csv", relation="trained-on", name=HOSTILE[4])
            run.log_metric('<img src="http://evil.example/m.png"> | $\\frac{$', 1.0, tolerance=0.1)
            run.log_metric("=1+1", -0.5)
    assert run.recorded, run.problem
    facts = gather(lab, run.recorded.id, FIELDS)
    made = make(facts, ["html", "pdf", "csv", "xlsx", "parquet", "json", "model-card"])
    made["notebook"] = Documentation(lab, facts)._repr_html_().encode()
    return made


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_html(files: dict[str, bytes]) -> None:
    text = files["report.html"].decode()
    seen = Tags(text)
    assert {"script", "a", "iframe", "object", "embed", "link", "form", "base"}.isdisjoint(seen.tags)
    assert seen.tags.count("style") == 1
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert all(value.startswith("data:image/svg+xml;base64,") for name, value in seen.attributes if name == "src")
    assert "\u202e" not in text
    assert {"script", "img"}.isdisjoint(Tags(files["notebook"].decode()).tags)


def test_markdown(files: dict[str, bytes]) -> None:
    text = files["model-card.md"].decode()
    card = ModelCard(text)
    assert "license" not in card.data.to_dict()
    assert card.data.to_dict()["blockchaintracer"]["record"] in text
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(card.text)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in (*tokens, *inline)}
    assert {"html_block", "html_inline", "link_open", "image"}.isdisjoint(kinds)
    assert "\u202e" not in text
    headings = [token.tag for token in tokens if token.type == "heading_open"]
    assert headings == ["h1", *["h2"] * 6]


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_the_text_itself(text: str) -> None:
    [_, inline, _] = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown(text))
    shown = "".join(child.content for child in inline.children)
    expected = re.sub("[\u202e\u202c\u200b\x1b]", "\ufffd", " ".join(text.split()))
    assert shown == expected


def test_spreadsheets(files: dict[str, bytes]) -> None:
    rows = list(csv.reader(io.StringIO(files["experiments.csv"].decode())))
    assert [cell for row in rows for cell in row if re.match(r"\s*[=+\-@\t\r|%]", cell)] == []
    book = openpyxl.load_workbook(io.BytesIO(files["experiments.xlsx"]))
    cells = [cell for row in book.active.rows for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    assert any(str(cell.value).startswith("=cmd") and cell.quotePrefix for cell in cells)


def test_paper(files: dict[str, bytes]) -> None:
    # a value taken for Typst's markup would stop the compiler or read a file; as text it is drawn
    assert files["report.pdf"].startswith(b"%PDF")
    assert b"/URI" not in files["report.pdf"]
    assert b"/JavaScript" not in files["report.pdf"]


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ record.__class__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ ().__class__.__bases__[0] }}",
    "{{ record.update({'id': 1}) }}",
    "{% for x in range(9) %}{% endfor %}",
    "{{ '%s'.format.__globals__ }}",
    "{{ ('{0.__class__}').format(record) }}{{ undefined_value }}",
    "{% include '../secret.txt' %}",
    "{% include '/etc/passwd' %}",
    "{% include 'link.txt' %}",
    "{% import 'os' as os %}",
    "{{ 1 / 0 }}",
]


@pytest.mark.parametrize("attack", ESCAPES)
@pytest.mark.parametrize("name", ["report.html.j2", "model-card.md.j2"])
def test_templates_cannot_leave_the_sandbox(
    lab: Lab, files: dict[str, bytes], tmp_path: Path, name: str, attack: str
) -> None:
    (tmp_path / "secret.txt").write_text("a secret")
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    harmless = '<meta http-equiv="Content-Security-Policy" content="{{ csp }}">' if "html" in name else ""
    (folder / name).write_text(harmless)
    assert make(gather_once(lab), ["html" if "html" in name else "model-card"], folder)
    (folder / name).write_text(harmless + attack)
    with pytest.raises(InputError) as refused:
        make(gather_once(lab), ["html" if "html" in name else "model-card"], folder)
    assert "a secret" not in str(refused.value)


def test_a_typst_template_reads_and_fetches_nothing(lab: Lab, files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("a secret")
    folder = tmp_path / "templates"
    folder.mkdir()
    for attack in (
        '#read("/etc/passwd")',
        '#read("../secret.txt")',
        f'#read("{tmp_path}/secret.txt")',
        '#import "@preview/example:0.1.0": add',
    ):
        (folder / "report.typ").write_text(attack)
        with pytest.raises(InputError, match=r"report\.typ"):
            make(gather_once(lab), ["pdf"], folder)


def test_a_page_keeps_its_policy(lab: Lab, files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "report.html.j2").write_text("<h1>{{ record.name }}</h1>")
    with pytest.raises(InputError, match="Content Security Policy"):
        make(gather_once(lab), ["html"], tmp_path)
    (tmp_path / "report.html.j2").unlink()
    (tmp_path / "report.css").write_text("</style><script>alert(1)</script>")
    with pytest.raises(InputError, match="style sheet"):
        make(gather_once(lab), ["html"], tmp_path)


def test_templates_of_ones_own(lab: Lab, files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "model-card.md.j2").write_text("# Ours: {{ fields.model_name.text }}\n{% include 'part.j2' %}")
    (tmp_path / "part.j2").write_text("{{ metrics | length }} metrics\n")
    text = make(gather_once(lab), ["model-card"], tmp_path)["model-card.md"].decode()
    assert "# Ours: \\=cmd" in text
    assert text.endswith("2 metrics\n")


_gathered: dict[int, object] = {}


def gather_once(lab: Lab):  # type: ignore[no-untyped-def]
    if id(lab) not in _gathered:
        [*_, entry] = lab.outbox.entries(lab.chain_id)
        _gathered[id(lab)] = gather(lab, entry.write.record_id, FIELDS)
    return _gathered[id(lab)]
