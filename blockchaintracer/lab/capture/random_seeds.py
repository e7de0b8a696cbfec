"""Seeding of every source of randomness that is in use, and what was seeded."""

from __future__ import annotations

import importlib
import importlib.util
import os
import random
import sys
from collections.abc import Mapping
from typing import Any

from blockchaintracer.core.errors import InputError

SEED_LIMIT = 2**32
"""NumPy's legacy generator takes no larger seed."""
_SEED_NAMES = frozenset({"seed", "random_seed", "random_state", "rng_seed"})


def names_a_seed(parameter: str) -> bool:
    """Return whether a parameter of this name, which may be dotted, is taken for a seed."""
    return parameter.rpartition(".")[2].lower().replace("-", "_") in _SEED_NAMES


def seed_everything(seed: int, each: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Seed `random`, NumPy, and PyTorch and TensorFlow where they are imported already.

    Importing PyTorch or TensorFlow takes seconds, so a program imports what it uses first, then seeds. JAX and NumPy's
    `default_rng` have no global state: the program passes them the seed itself.

    Args:
        seed: 0 to 2**32 - 1.
        each: other seeds for some generators: ``random``, ``numpy``, ``torch``, ``tensorflow``, ``jax``.

    Returns:
        ``seed``, ``seeded`` (names), ``notSeeded`` (name to reason) and ``pythonHashSeed``, ready for JSON; with `each`
        also ``seeds``: by name, of those that were seeded, and of ``jax`` where it's installed.
    """
    seeds = each or {}
    for value in (seed, *seeds.values()):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < SEED_LIMIT:
            raise InputError(f"expected a seed from 0 to {SEED_LIMIT - 1}, got {value!r}")
    seeded, left = ["random"], {}
    random.seed(seeds.get("random", seed))
    if _installed("numpy"):
        importlib.import_module("numpy").random.seed(seeds.get("numpy", seed))
        seeded.append("numpy")
    for name, function in (("torch", "manual_seed"), ("tensorflow", "random.set_seed")):
        if name in sys.modules:
            target: Any = sys.modules[name]
            for part in function.split("."):
                target = getattr(target, part)
            target(seeds.get(name, seed))
            seeded.append(name)
        elif _installed(name):
            left[name] = "installed but not imported: import it before seeding"
    if _installed("jax"):
        left["jax"] = f"has no global seed: pass jax.random.key({seeds.get('jax', 'seed')})"
    # Python's own hash seed is set before Python starts, or not at all
    hash_seed = os.environ.get("PYTHONHASHSEED", "random")
    result: dict[str, Any] = {"seed": seed, "seeded": seeded, "notSeeded": left, "pythonHashSeed": hash_seed}
    if each:
        result["seeds"] = {name: value for name, value in each.items() if name in seeded or name in left}
    return result


def _installed(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None
