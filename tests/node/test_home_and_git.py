"""Git and the lab's folder."""

import subprocess

from blockchaintracer.lab.lab_folder import Home


def test_nothing_of_it_is_ever_committed(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    home = Home(tmp_path / "lab")
    (home.keys / "lab.json").write_text("{}")
    (tmp_path / "science.py").write_text("")
    subprocess.run(["git", "add", "--all"], cwd=tmp_path, check=True)
    listed = subprocess.run(["git", "ls-files"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert listed.stdout.split() == ["science.py"]
