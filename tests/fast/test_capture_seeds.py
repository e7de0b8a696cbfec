"""Seeding: equal seeds give equal numbers, and what was not seeded is said."""

import random
import sys
import types

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.random_seeds import seed_everything

numpy = pytest.importorskip("numpy")


def draw() -> tuple[float, float]:
    return random.random(), float(numpy.random.random())


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_equal_seeds_give_equal_numbers(seed: int):
    told = seed_everything(seed)
    first = draw()
    assert told["seed"] == seed
    assert told["seeded"][:2] == ["random", "numpy"]
    seed_everything(seed)
    assert draw() == first
    seed_everything(seed ^ 5)
    assert draw() != first


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, "1", None])
def test_other_seeds_are_refused(seed: object):
    before = random.getstate()
    with pytest.raises(InputError, match="seed"):
        seed_everything(seed)  # type: ignore[arg-type]
    assert random.getstate() == before


def test_frameworks_are_seeded_if_imported_and_named_if_not(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """PyTorch and TensorFlow are too large for this suite: stand-ins note the call; `make test-frameworks` has them."""
    seeds: list[tuple[str, int]] = []
    torch = types.ModuleType("torch")
    torch.manual_seed = lambda seed: seeds.append(("torch", seed))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    for name in ("tensorflow", "jax"):
        (tmp_path / f"{name}.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    told = seed_everything(11)
    assert seeds == [("torch", 11)]
    assert told["seeded"] == ["random", "numpy", "torch"]
    assert "import it before seeding" in told["notSeeded"]["tensorflow"]
    assert "jax.random.key" in told["notSeeded"]["jax"]
