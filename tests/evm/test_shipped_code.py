"""The factory deploys the registry that all other tests are of."""

from tests.support.artifacts import artifact


def test_factory_is_made_of_the_very_code_that_is_shipped_and_tested() -> None:
    assert artifact("LabRegistry").bytecode in artifact("LabRegistryFactory").bytecode
