"""An error leads out: `record nothere.csv` spoke of a program alone, and `query` beside a devnet that
is not running said to wait until the chain is back.
"""

from pathlib import Path

import pytest

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.run import run_command

pytestmark = pytest.mark.evm


def test_what_is_no_program_is_no_file_either(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^expected a file to record, or a .* got 'nothere\.csv': No such") as told:
        run_command(["nothere.csv"], tmp_path, Home(tmp_path / "home"))
    assert "Check its name" in str(told.value.hint)


def test_who_searches_is_told_how_the_devnet_starts(tmp_path: Path) -> None:
    with pytest.raises(ChainUnavailable) as told, up_to_date(Lab(Home(tmp_path), starts_devnet=False)):
        pass
    assert "`blockchaintracer node start`" in str(told.value.hint)
    assert "--offline" in str(told.value.hint)
