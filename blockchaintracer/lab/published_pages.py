"""Pages beside what a lab publishes: the page that verifies, as index.html, and a list of the records, to be read."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.manifest import MAX_BYTES, parse_manifest
from blockchaintracer.core.record import Domain, Kind, label
from blockchaintracer.core.record_key_file import MAX_KEY_FILE_BYTES, KeyFile, Proof
from blockchaintracer.core.verify.copies import object_name
from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.plain_text import called

PAGE = Path(__file__).resolve().parents[1] / "web" / "index.html"
"""The page that verifies in a browser, as `make web` builds it."""
PAGE_NAME, LIST_NAME = "index.html", "records.html"
MOST_LISTED = 1000
_LIST = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Published records</title>
<style>body{{max-width:54rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}}
body{{color:#17202a;background:#fdfdfb}}
li{{margin:.8rem 0;overflow-wrap:anywhere}}code{{font-size:.85em;color:#566573}}a{{color:#00695c}}
@media(prefers-color-scheme:dark){{body{{color:#eef1f3;background:#14191d}}code{{color:#a9b4bd}}a{{color:#6fd0c2}}}}</style>
</head><body><h1>Published records</h1>
<p>What is listed here is the word of its publisher. A link opens the page that checks a record: there you choose
the chain, the registry and the node that you rely on.</p>
<ul>
{items}
</ul>
{more}</body></html>
"""


@dataclass(frozen=True)
class _Listed:
    domain: Domain
    id: str
    kind: str
    group: int
    name: str | None

    def item(self) -> str:
        """Return its line. Every name is escaped: it is its author's."""
        asked = {"id": self.id, "chain": self.domain.chain_id, "registry": self.domain.registry.lower()}
        link = html.escape(f"{PAGE_NAME}#{urlencode(asked)}")
        title, kind = html.escape(called(self.kind, self.id, self.name)), html.escape(self.kind)
        # the page that verifies reads the list by these attributes
        opens = f'<a href="{link}" data-kind="{kind}" data-group="{self.group}">'
        more = "" if f"{title} ".startswith(f"{kind} ") else f"{kind}, "
        return f"<li>{opens}{title}</a>, {more}group {self.group}<br><code>{self.id}</code></li>"


def write_pages(folder: Path) -> None:
    """Write the page and the list of what the folder publishes, each whole or not at all."""
    write_whole(folder / PAGE_NAME, PAGE.read_bytes(), 0o644)
    files = sorted((folder / "proofs").glob("0x*.json"), key=lambda file: (-file.stat().st_mtime_ns, file.name))
    items = sorted((it.name or "", it.item()) for it in _listed(folder, files[:MOST_LISTED]))
    left = len(files) - MOST_LISTED
    more = f"<p>And {left} more: the folder <code>proofs</code> has them all.</p>\n" if left > 0 else ""
    text = _LIST.format(items="\n".join(item for _, item in items), more=more)
    write_whole(folder / LIST_NAME, text.encode(), 0o644)


def _listed(folder: Path, files: list[Path]) -> Iterator[_Listed]:
    for file in files:
        with suppress(InputError, OSError):
            data = read_limited(file, MAX_KEY_FILE_BYTES, "a key file")
            kind_of_file = Proof if str(Proof.FORMAT).encode() in data[:400] else KeyFile
            key_file = kind_of_file.parse(data, str(file))
            domain, key, name = Domain(key_file.chain_id, key_file.registry), key_file.key, None
            with suppress(InputError, OSError):
                manifest = folder / object_name(key.manifest)
                name = parse_manifest(read_limited(manifest, MAX_BYTES, "a manifest")).predicate.name
            kind = label(key.kind, Kind) if key.kind in {*Kind} else str(key.kind)
            yield _Listed(domain, domain.record_id(key), kind, key.group, name)
