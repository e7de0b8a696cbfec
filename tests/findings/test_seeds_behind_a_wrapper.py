"""Code that starts programs is not called seeded for the generators that its first file imports.

`score` passed "seeds for every generator in use" for unseeded PyTorch code behind a wrapper with a seed of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.extras.score.entry_point import STARTED, generators

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    "wrapper",
    [
        "import random, subprocess\nrandom.seed(7)\nsubprocess.run(['python', 'deep/train.py'])\n",
        "import random, os\nrandom.seed(7)\nos.system('python deep/train.py')\n",
        "import random\nfrom runpy import run_path\nrun_path('deep/train.py')\n",
        "import random, helper\n",
    ],
)
def test_each_file_that_may_be_started_counts(wrapper: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "train.py").write_text("import torch\ntorch.rand(3)\n")
    (tmp_path / "helper.py").write_text("import subprocess\n")
    (tmp_path / "wrapper.py").write_text(wrapper)
    assert generators(tmp_path / "wrapper.py", tmp_path, tmp_path) == {"random", "torch", STARTED}
    (tmp_path / "wrapper.py").write_text("import random\n")
    assert generators(tmp_path / "wrapper.py", tmp_path, tmp_path) == {"random"}
