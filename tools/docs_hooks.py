"""What mkdocs needs beside the pages: the README as the first one, decisions in order, the reference of the SDK, links
out of docs/ as text."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
SDK = ROOT / ".build" / "sdk"
_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+)([^)#\s]+)(?:#[^)\s]*)?\)")


def _outside(text: str, page: Path) -> str:
    """Show a link to a file that is no page as the path of that file, which whoever has the source finds."""

    def replaced(link: re.Match[str]) -> str:
        target = (page.parent / f"{link[2]}{link[3]}").resolve()
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        if not target.exists():
            raise ValueError(f"{page.name} links to {link[3]}, which does not exist")
        name = target.relative_to(ROOT).as_posix()
        return f"`{name}`" if link[1].strip("`") == name else f"{link[1]} (`{name}`)"

    return _LINK.sub(replaced, text)


def on_files(files: Files, config: Any) -> Files:
    """Add the reference of the SDK, and the README as the first page: links into docs/ become links beside it, all
    others text."""
    for path in sorted(path for path in SDK.rglob("*") if path.is_file()):
        files.append(File.generated(config, f"sdk/{path.relative_to(SDK).as_posix()}", abs_src_path=str(path)))
    readme = (ROOT / "README.md").read_text()
    readme = re.sub(r"\]\(docs/decisions\)", "](decisions/0001-evidence-in-the-verdict-slot.md)", readme)
    readme = re.sub(r"\]\(docs/", "](", readme)
    outside = r"\[([^\]]+)\]\(((?:examples|tests|benchmarks|conformance|[A-Z]+\.md)[^)]*)\)"
    readme = re.sub(outside, r"\1 (`\2`)", readme)
    files.append(File.generated(config, "index.md", content=readme))
    return files


def on_config(config: Any) -> Any:
    """List the decisions, so that none has to be named twice, and the reference of the SDK beside that of Python."""
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    for section in config["nav"]:
        pages = next(iter(section.values())) if isinstance(section, dict) else []
        if "python.md" in pages:
            pages.insert(pages.index("python.md") + 1, {"TypeScript reference": "sdk/index.html"})
        for entry in pages:
            if isinstance(entry, dict) and entry.get("Decisions") == "decisions":
                entry["Decisions"] = [f"decisions/{page.name}" for page in decisions]
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite the links of a page that lead out of docs/."""
    return _outside(markdown, ROOT / "docs" / page.file.src_uri)
