"""The NatSpec of the interfaces is complete, and is rendered by a command."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.artifacts import ROOT, artifact

INTERFACES = sorted(path.stem for path in (ROOT / "interfaces").glob("*.sol"))


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The rendered page of each interface."""
    subprocess.run([sys.executable, ROOT / "tools" / "reference.py"], check=True, capture_output=True, text=True)
    found = Path(ROOT, ".build", "reference", "src").rglob("interface.*.md")
    return {page.name.split(".")[1]: page.read_text() for page in found}


@pytest.mark.parametrize("interface", INTERFACES)
def test_everything_in_an_interface_is_described(pages: dict[str, str], interface: str) -> None:
    source = (ROOT / "interfaces" / f"{interface}.sol").read_text()
    own = set(re.findall(r"(?:function|event|error) (\w+)", source))
    sections = re.findall(r"^### (\w+)\n(.*?)```", pages[interface], re.MULTILINE | re.DOTALL)
    described = {name for name, text in sections if len(text.split()) >= 3}
    named = {entry["name"] for entry in artifact(interface).abi} & own

    assert named
    assert named <= described
