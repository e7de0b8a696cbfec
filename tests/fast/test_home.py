"""Where a lab's files are, and that nobody else gets them."""

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.lab_folder import Home


def test_the_nearest_folder_upward_is_taken(tmp_path, monkeypatch):
    monkeypatch.delenv("BLOCKCHAINTRACER_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Home(tmp_path / ".blockchaintracer").keys.is_dir()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert Home().path == tmp_path / ".blockchaintracer"
    monkeypatch.setenv("BLOCKCHAINTRACER_HOME", str(tmp_path / "chosen"))
    assert Home().path == tmp_path / "chosen"
    assert Home(tmp_path / "said").path == tmp_path / "said"


def test_folders_are_for_their_owner_alone(tmp_path):
    home = Home(tmp_path / "lab")
    for folder in (home.keys, home.store, home.devnet, home.path):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_told_with_a_way_out(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--home"):
        _ = Home(tmp_path / "file" / "lab").keys


def test_another_users_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("BLOCKCHAINTRACER_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    theirs = tmp_path / ".blockchaintracer"
    theirs.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.getuid", lambda: theirs.stat().st_uid + 1)
    with pytest.raises(InputError, match="belongs to another user"):
        Home()
