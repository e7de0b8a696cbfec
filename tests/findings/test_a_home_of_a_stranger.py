"""A `.blockchaintracer` that came with a repository is not the reader's lab: nothing in it is believed or signed."""

import os
import subprocess
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import VARIABLE, Home
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.trusted_homes import trust
from tests.support.labs import ROOT, running_lab, verb
from tools.bootstrap import make_home

pytestmark = pytest.mark.node


@pytest.fixture(autouse=True)
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a list of homes of their own, in a working folder."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def test_one_that_was_planted_is_refused_with_the_way_to_trust_it(reader: Path) -> None:
    (reader / ".blockchaintracer" / "keys").mkdir(parents=True)
    with pytest.raises(InputError, match="not in the list of homes") as refused:
        Home()
    assert f"home trust {reader / '.blockchaintracer'}" in (refused.value.hint or "")


def test_one_that_this_user_created_is_used_again(reader: Path) -> None:
    assert Home(reader / ".blockchaintracer").keys.is_dir()
    assert Home().path == reader / ".blockchaintracer"


def test_one_that_setup_made_is_used_where_it_lies(reader: Path) -> None:
    make_home(reader / ".blockchaintracer")
    assert Home().path == reader / ".blockchaintracer"


def test_one_that_setup_found_is_not_trusted_by_it(reader: Path) -> None:
    (reader / ".blockchaintracer").mkdir()
    make_home(reader / ".blockchaintracer")
    with pytest.raises(InputError, match="not in the list"):
        Home()


def test_one_that_the_variable_named_is_used_again(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (reader / ".blockchaintracer").mkdir()
    with monkeypatch.context() as patch:
        patch.setenv(VARIABLE, str(reader / ".blockchaintracer"))
        assert Home().path == reader / ".blockchaintracer"
    assert Home().path == reader / ".blockchaintracer"


def test_naming_a_folder_once_does_not_trust_it_for_later(reader: Path) -> None:
    (reader / ".blockchaintracer").mkdir()
    assert Home(".blockchaintracer").keys.is_dir()
    with pytest.raises(InputError, match="not in the list"):
        Home()


def test_a_copy_and_a_moved_one_are_refused_until_trusted(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Home(reader / ".blockchaintracer").keys.is_dir()
    moved = reader / "elsewhere"
    moved.mkdir()
    (reader / ".blockchaintracer").rename(moved / ".blockchaintracer")
    monkeypatch.chdir(moved)
    with pytest.raises(InputError, match="not in the list"):
        Home()
    trust(moved / ".blockchaintracer")
    assert Home().path == moved / ".blockchaintracer"


def test_one_that_takes_the_place_of_a_trusted_one_is_refused(reader: Path) -> None:
    assert Home(reader / ".blockchaintracer").keys.is_dir()
    (reader / ".blockchaintracer").rename(reader / "mine")
    (reader / ".blockchaintracer").mkdir()
    (reader / ".blockchaintracer" / "id").write_text("0" * 32)
    with pytest.raises(InputError, match="not in the list"):
        Home()


def test_one_that_git_tracks_is_refused_also_if_it_is_listed(reader: Path) -> None:
    subprocess.run(["git", "init", "--quiet", reader], check=True)
    assert Home(reader / ".blockchaintracer").keys.is_dir()
    assert Home().path == reader / ".blockchaintracer"
    subprocess.run(["git", "add", "--force", ".blockchaintracer"], cwd=reader, check=True)
    with pytest.raises(InputError, match="tracked by git"):
        Home()


def test_a_verb_refuses_it_and_home_trust_shows_what_is_in_it(reader: Path) -> None:
    home = reader / ".blockchaintracer"
    home.mkdir()
    (home / "settings.json").write_text('{"chains": {"1": {"registry": "0xabc"}}}')

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [ROOT / ".venv" / "bin" / "blockchaintracer", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    refused = run("outbox")
    assert refused.returncode == 2
    assert "home trust" in refused.stderr + refused.stdout
    assert run("home", "trust", str(home)).returncode != 0
    assert run("outbox").returncode == 2
    trusted = run("home", "trust", str(home), "--yes")
    assert trusted.returncode == 0, trusted.stderr
    assert "registry 0xabc" in trusted.stdout
    assert run("outbox").returncode == 0


def test_home_trust_shows_what_waits_to_be_signed(tmp_path: Path) -> None:
    with running_lab(tmp_path) as lab:
        lab.devnet.stop()
        (tmp_path / "data.csv").write_text("1\n")
        record_content(Lab(lab.home, rpc="http://127.0.0.1:9"), Kind.DATASET, tmp_path / "data.csv")
    done = verb("home", "trust", str(lab.home.path), "--yes", home=tmp_path / "another")
    assert done.returncode == 0, done.stderr
    assert "waiting: 1 x record" in done.stdout
    assert "key: " in done.stdout


def test_looking_at_a_home_changes_nothing_in_it(tmp_path: Path) -> None:
    """It was opened as a lab: databases, folders and an ignore file were made before the user was asked."""
    home = tmp_path / "theirs"
    home.mkdir()
    (home / "settings.json").write_text('{"chains": {"1": {"registry": "0xabc"}}}')
    code = """
import os, sys
from pathlib import Path
from blockchaintracer.lab.outbox import Op, Outbox, Transaction
outbox = Outbox(Path(sys.argv[1]))
transfer = Transaction(Op.TRANSFER_GROUP, "0x" + "11" * 20, group=1, to="0x" + "22" * 20, seen=1)
outbox.add_transaction(1, transfer, "0x" + "33" * 20)
os._exit(0)
"""
    subprocess.run([ROOT / ".venv" / "bin" / "python", "-c", code, home / "outbox.sqlite"], check=True)
    # the write is still in the log beside the database: who reads the database alone does not see it
    assert (home / "outbox.sqlite-wal").stat().st_size > 0
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) for path in home.iterdir()}
    looked = verb("home", "trust", str(home), home=tmp_path / "another")
    assert looked.returncode != 0
    assert "waiting: 1 x transfer-group" in looked.stderr
    assert "registry 0xabc" in looked.stderr
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) for path in home.iterdir()}
    assert after == before


@pytest.mark.parametrize("name", ["settings.json", "outbox.sqlite"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_plain_file_is_not_read(tmp_path: Path, name: str, make) -> None:
    (tmp_path / "theirs").mkdir()
    make(tmp_path / "theirs" / name)
    refused = verb("home", "trust", str(tmp_path / "theirs"), "--yes", home=tmp_path / "another")
    assert refused.returncode == 2
    assert name in refused.stderr
    assert not (tmp_path / "theirs" / "id").exists()


def test_a_journal_that_would_be_played_back_is_refused(tmp_path: Path) -> None:
    """SQLite follows the name of another file in it, and deletes that file."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "outbox.sqlite-journal").write_bytes(b"x")
    refused = verb("home", "trust", str(tmp_path / "theirs"), "--yes", home=tmp_path / "another")
    assert refused.returncode == 2
    assert "Remove it" in refused.stderr


def test_an_id_that_is_a_link_or_a_pipe_is_replaced_and_never_read(reader: Path) -> None:
    (reader / "secret").write_text("a" * 32)
    home = reader / ".blockchaintracer"
    for plant in (lambda: os.symlink(reader / "secret", home / "id"), lambda: os.mkfifo(home / "id")):
        home.mkdir()
        plant()
        trust(home)
        assert Home().path == home
        assert (home / "id").read_text() != "a" * 32
        (home / "id").unlink()
        home.rmdir()
    assert (reader / "secret").read_text() == "a" * 32


def test_a_link_in_place_of_the_ignore_file_plants_nothing(reader: Path) -> None:
    (reader / ".blockchaintracer").mkdir()
    (reader / ".blockchaintracer" / ".gitignore").symlink_to(reader / "planted")
    assert Home(".blockchaintracer").keys.is_dir()
    assert not (reader / "planted").exists()


def test_a_tracked_link_to_a_trusted_home_is_refused(reader: Path, tmp_path: Path) -> None:
    assert Home(tmp_path / "mine" / ".blockchaintracer").keys.is_dir()
    subprocess.run(["git", "init", "--quiet", reader], check=True)
    (reader / ".blockchaintracer").symlink_to(tmp_path / "mine" / ".blockchaintracer")
    subprocess.run(["git", "add", "--force", ".blockchaintracer"], cwd=reader, check=True)
    with pytest.raises(InputError, match="tracked by git"):
        Home()


def test_a_file_in_place_of_a_home_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    os.chmod(tmp_path / "file", 0o644)
    with pytest.raises(InputError):
        _ = Home(tmp_path / "file").keys
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_home_is_closed_to_other_users_also_if_it_was_there(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    os.chmod(tmp_path / "open", 0o755)
    assert Home(tmp_path / "open").keys.is_dir()
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o700
