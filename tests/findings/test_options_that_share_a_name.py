"""`reproduce --allow-network` ended in an AttributeError: its value came under the name of `--network`."""

from collections import Counter

import pytest

from blockchaintracer.cli import VERBS, load

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_option_has_a_name_of_its_own(verb: str) -> None:
    commands = [load(verb)]
    for command in commands:
        commands += getattr(command, "commands", {}).values()
        names = Counter(parameter.name for parameter in command.params)
        assert [name for name, count in names.items() if count > 1] == []
