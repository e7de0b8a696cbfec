"""Which anvil is used, and which one would be installed."""

import hashlib

import pytest

from blockchaintracer.lab.devnet import install
from tests.support.labs import ROOT


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


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A user's cache alone: neither PATH, nor Foundry, nor a checkout has an anvil."""
    for name in ("PATH", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(install, "_HERE", tmp_path / "a" / "b" / "c" / "d")
    return install._cache() / install.package() / "bin" / "anvil"


def test_a_program_in_the_cache_is_started_only_if_it_is_the_locked_one(cache, monkeypatch):
    genuine = install.find_anvil()
    assert genuine is None
    cache.parent.mkdir(parents=True)
    cache.write_text("#!/bin/sh\n")
    cache.chmod(0o755)
    assert install.find_anvil() is None
    monkeypatch.setitem(install._SHA256, install.package().rsplit("/")[-1], hashlib.sha256(b"#!/bin/sh\n").hexdigest())
    assert install.find_anvil() == cache


def test_the_table_of_digests_is_of_the_locked_packages():
    locked = {name.rsplit("/")[-1] for name in install._LOCKED if name}
    assert locked == set(install._SHA256)
    binary = ROOT / install.package() / "bin" / "anvil"
    assert install._is_locked(binary)


def test_every_locked_package_has_its_hash_and_no_address():
    for name, entry in install._LOCKED.items():
        assert not name or entry["integrity"].startswith("sha512-")
        assert "resolved" not in entry
