"""Which anvil is used, and which one would be installed."""

from blockchaintracer.lab.devnet import install


def test_anvil_is_found_on_the_path_but_not_as_the_node_script(tmp_path, monkeypatch):
    wrapper = tmp_path / "bin.mjs"
    wrapper.write_text("#!/usr/bin/env node\n")
    wrapper.chmod(0o755)
    (tmp_path / "anvil").symlink_to(wrapper)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = install.find_anvil()
    assert found is not None
    assert found.parent != tmp_path

    (tmp_path / "anvil").unlink()
    (tmp_path / "anvil").symlink_to(found)
    assert install.find_anvil() == tmp_path / "anvil"


def test_every_locked_package_has_its_hash_and_no_address():
    for name, entry in install._LOCKED.items():
        assert not name or entry["integrity"].startswith("sha512-")
        assert "resolved" not in entry
