"""Names of exported files."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.extras.exports.exported_files import safe_name


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..", ".", "", "a/../..", "a\\nb", "~", "-rf", "x" * 900]
)
def test_a_name_leads_nowhere(name: str, tmp_path: Path) -> None:
    path = tmp_path / safe_name(name)
    assert path.parent == tmp_path
    assert not path.name.startswith(("-", ".", "~"))
    path.write_text("")
