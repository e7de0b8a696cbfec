"""What a library keeps of its own code and the machine is no input: a false claim of a notebook stays refuted."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.lab.capture.reads import Seen, undeclared

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("cache", ["home/.cache", "elsewhere"])
def test_matplotlib_s_list_of_fonts(cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever draws reads it. It counted as undeclared, so that each metric that differs was inconclusive."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if cache == "elsewhere":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / cache))
    places = {
        f"{cache}/matplotlib/fontlist-v390.json": None,
        f"{cache}/matplotlib/tex.cache/a.dvi": None,
        f"{cache}/torch/kernels/sum.bin": None,
        "home/.matplotlib/fontlist-v3.10.json": None,
        "home/.config/mlflow/telemetry.json": None,
        # fetched data, settings and what only looks like a cache
        f"{cache}/torch/hub/resnet.pt": "…/resnet.pt",
        f"{cache}/huggingface/model.bin": "…/model.bin",
        f"{cache}/matplotlib.csv": "…/matplotlib.csv",
        "home/.config/matplotlib/matplotlibrc": "…/matplotlibrc",
        "repo/fontlist-v1.json": "fontlist-v1.json",
        "home/data/telemetry.json": "…/telemetry.json",
    }
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("{}")
    read = frozenset(str(tmp_path / place) for place in places)
    none = frozenset[str]()
    seen = Seen(1, read, none, (), none, none, none, 1 << 62)
    found = undeclared(seen, tmp_path / "repo", None, ()).reads.files
    assert {*found} == {name for name in places.values() if name}


def test_what_a_library_tells_of_its_use(tmp_path: Path) -> None:
    """MLflow asks its host whether to: no false claim of a run that logs to MLflow could be refuted."""
    none = frozenset[str]()
    hosts = frozenset({"config.mlflow-telemetry.io", "mlflow-telemetry.io.lab.example"})
    urls = frozenset({"https://eu.i.posthog.com/e/", "https://lab.example/posthog.com"})
    seen = Seen(1, none, none, (), hosts, urls, none, 1 << 62)
    found = undeclared(seen, tmp_path, None, ()).reads.addresses
    assert found == ("https://lab.example/posthog.com", "mlflow-telemetry.io.lab.example")
