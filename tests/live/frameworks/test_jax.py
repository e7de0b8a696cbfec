"""JAX itself: it has no global seed, so the record says which key the program was told to pass."""

import jax

from blockchaintracer.lab.capture.random_seeds import seed_everything


def test_the_key_that_was_told_decides_what_jax_draws():
    told = seed_everything(7, each={"jax": 11})
    assert "jax" not in told["seeded"]
    assert told["notSeeded"]["jax"].endswith("jax.random.key(11)")
    assert told["seeds"]["jax"] == 11
    one, same, other = (jax.random.normal(jax.random.key(seed), (4,)).tolist() for seed in (11, 11, 7))
    assert one == same != other
