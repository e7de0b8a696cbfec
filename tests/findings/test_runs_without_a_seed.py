"""A run that states no seed has no seed of its own: three of them are not three runs with seeds of their own.

`score` gave six points for "three or more runs with dispersion" to a run without a seed that was repeated twice, which
says the same number three times; of two it told "2 runs … with seeds of their own".
"""

from types import SimpleNamespace
from typing import Any

import pytest

from blockchaintracer.extras.score.item_checks import runs

pytestmark = pytest.mark.fast


def run(number: int, seeds: dict[str, int]) -> Any:
    code = SimpleNamespace(commit="1" * 40, pack=None, patch=None, folder=None)
    metrics = {"accuracy": SimpleNamespace(value=0.9)}
    return SimpleNamespace(
        run_id=f"{number}", seeds=seeds, metrics=metrics, code=code, inputs=[1], parameters={}, status="completed"
    )


@pytest.mark.parametrize(
    ("seeds", "status"), [([{}, {}, {}], "fail"), ([{"numpy": 1}, {"numpy": 2}, {"numpy": 3}], "pass")]
)
def test_only_stated_seeds_count(seeds: list[dict[str, int]], status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = "blockchaintracer.extras.score.item_checks."
    monkeypatch.setattr(where + "same_code", lambda first, second: True)
    monkeypatch.setattr(where + "data_digests", lambda one: [])
    first, *rest = [run(number, given) for number, given in enumerate(seeds)]
    others = [SimpleNamespace(run=one, stands=True) for one in rest]
    assert runs(SimpleNamespace(run=first, others=others)).status == status  # type: ignore[arg-type]
