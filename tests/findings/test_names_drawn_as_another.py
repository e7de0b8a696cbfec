"""A community could call itself LIGO in letters of Lisu, or as another is called here by its user."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.community.kept_books import add_book, update_book
from blockchaintracer.extras.community.look_alikes import checked_name, skeleton
from blockchaintracer.lab.lab_folder import Home
from tests.node.test_community import Keepers

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("name", ["\ua4e1\ua4f2\ua4d6\ua4f3", "\ua4e1IGO", "\u13de\u13c6\u13c0\u13be", "\U00010425"])
def test_a_script_of_few_names(name: str) -> None:
    with pytest.raises(ValueError, match="letters that people read in names"):
        checked_name(name)


@pytest.mark.parametrize(
    "name", ["東京大学", "データ", "々", "Forschungsgruppe Köln", "Łódź", "Институт", "大学ＡＢ", "서울"]
)
def test_names_that_people_have(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["\u0141IGO", "LIG\u00d8", "\u029f\u026a\u0262\u1d0f", "L\u0197GO"])
def test_strokes_and_small_capitals(name: str) -> None:
    assert skeleton(checked_name(name)) == skeleton("LIGO")


def test_a_community_is_called_as_another_by_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    for name, called in (("LIGO Scientific Collaboration", "ligo"), ("Virgo", "virgo")):
        folder = tmp_path / called
        folder.mkdir()
        keepers = Keepers(folder, monkeypatch)
        keepers.new("alice", content={"name": name, "registries": []}, threshold=1)
        keepers.sign("alice")
        add_book(home, str(keepers.file), lambda book, warnings: None, alias=called)
    keepers.new(content={"name": "L1GO", "registries": []})
    keepers.sign("alice")
    with pytest.raises(InputError, match="looks like ligo"):
        update_book(home, "virgo")
    other = tmp_path / "other"
    other.mkdir()
    keepers = Keepers(other, monkeypatch)
    keepers.new("alice", content={"name": "L1GO", "registries": []}, threshold=1)
    keepers.sign("alice")
    with pytest.raises(InputError, match="looks like the community ligo"):
        add_book(home, str(keepers.file), lambda book, warnings: None, alias="third")
