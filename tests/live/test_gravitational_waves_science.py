"""The search of GW150914 and of another event: known answers, determinism, training apart from test, changed data."""

from __future__ import annotations

import functools
import hashlib
import http.server
import importlib
import json
import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="needs the extra [examples]")
h5py = pytest.importorskip("h5py", reason="needs the extra [examples]")
np = pytest.importorskip("numpy")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "gravitational-waves"
H1 = "H-H1_LOSC_4_V2-1126259446-32.hdf5"
EVENT = 1126259462.44
MODULES = ("fetch", "strain", "rundoc", "search", "classify")


@pytest.fixture(scope="module")
def data() -> Path:
    folder = Path(os.environ.get("BLOCKCHAINTRACER_GW_DATA") or ROOT.parent / "shared" / "data" / "gw150914")
    if not (folder / H1).is_file():
        pytest.skip(f"no strain in {folder}: set BLOCKCHAINTRACER_GW_DATA to a folder with GWOSC's four files")
    return folder


@pytest.fixture(scope="module")
def example() -> Iterator[SimpleNamespace]:
    """The example's modules, imported as its programs import them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    for name in MODULES:
        sys.modules.pop(name, None)


def run(program: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BLOCKCHAINTRACER_")}
    return subprocess.run(
        [sys.executable, EXAMPLE / program, *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def runs(data: Path, example: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Output folders of both programs: with one seed as two processes, told of data and run document by either way,
    and with another seed."""
    root = tmp_path_factory.mktemp("gw150914")
    folders = {f"{program}-{label}": root / f"{program}-{label}"
               for program in ("search", "classify") for label in ("first", "again", "reseeded")}  # fmt: skip
    for program in ("search", "classify"):
        first, again, reseeded = (folders[f"{program}-{label}"] for label in ("first", "again", "reseeded"))
        done = run(f"{program}.py", "--data", data, "--out", first, "--seed", "1")
        assert done.returncode == 0, done.stderr
        done = run(f"{program}.py", "--out", again, "--seed", "1", BLOCKCHAINTRACER_GW_DATA=str(data),
                   BLOCKCHAINTRACER_RUN_FILE=str(root / program / "asked.json"))  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not (again / "run.json").exists()
        (root / program / "asked.json").rename(again / "run.json")
        getattr(getattr(example, program), program)(example.rundoc.Arguments(data, reseeded, 2))
    return folders


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def within(left: dict[str, Any], right: dict[str, Any]) -> set[str]:
    """The metrics that agree within the tolerance of the left run."""
    return {
        name
        for name, metric in left.items()
        if abs(metric["value"] - right[name]["value"]) <= metric["tolerance"]["absolute"]
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def test_finds_the_event_as_published(runs: dict[str, Path]) -> None:
    result = read(runs["search-first"] / "result.json")
    assert result["H1"]["snr"] == pytest.approx(18.56, abs=0.05)
    assert result["L1"]["snr"] == pytest.approx(13.21, abs=0.05)
    assert result["H1"]["gps_time"] == pytest.approx(1126259462.4395, abs=1e-4, rel=0)
    assert result["L1"]["gps_time"] == pytest.approx(1126259462.4324, abs=1e-4, rel=0)
    assert result["network"]["snr"] == pytest.approx(math.hypot(18.56, 13.21), abs=0.05)
    assert result["network"]["delay_seconds"] == pytest.approx(0.0069, abs=0.0005)  # Abbott et al. 2016
    background = result["background"]
    assert background["slides_louder"] == 0
    assert 4 < background["mean_loudest_snr"] < background["loudest_snr"] < 10


def test_writes_what_it_says(runs: dict[str, Path]) -> None:
    for program in ("search", "classify"):
        folder = runs[f"{program}-first"]
        document = read(folder / "run.json")
        named = {Path(output["path"]) for output in document["outputs"]}
        assert {path for path in folder.iterdir() if path.name != "run.json"} == named
        assert {entry["name"] for entry in document["inputs"]} == {Path(e["path"]).name for e in document["inputs"]}
        assert document["seeds"] == {"numpy": 1}
    whitened = np.load(runs["search-first"] / "whitened" / "L1.npy")
    quiet = np.concatenate([whitened[4 * 4096 : 15 * 4096], whitened[18 * 4096 : 28 * 4096]])
    assert np.mean(quiet**2) == pytest.approx((300 - 43) / 2048, rel=0.1)
    template = np.load(runs["search-first"] / "template.npy")
    assert (template.shape, template.dtype) == ((32 * 4096,), np.complex128)


@pytest.mark.parametrize("program", ["search", "classify"])
def test_same_seed_gives_the_same_bytes(runs: dict[str, Path], program: str) -> None:
    first, again = runs[f"{program}-first"], runs[f"{program}-again"]
    assert contents(first) == contents(again)
    assert read(first / "run.json")["metrics"] == read(again / "run.json")["metrics"]


def test_another_processor_agrees_within_tolerance(data: Path, runs: dict[str, Path], tmp_path: Path) -> None:
    plain = {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX", "OPENBLAS_CORETYPE": "Nehalem"}
    done = run("classify.py", "--data", data, "--out", tmp_path, "--seed", "1", PYTHONWARNINGS="ignore", **plain)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "split.json").read_bytes() == (runs["classify-first"] / "split.json").read_bytes()
    first, other = (read(folder / "run.json")["metrics"] for folder in (runs["classify-first"], tmp_path))
    assert within(first, other) == set(first)


def test_another_seed_is_seen_in_the_metrics(runs: dict[str, Path]) -> None:
    first, other = (read(runs[f"classify-{label}"] / "run.json")["metrics"] for label in ("first", "reseeded"))
    assert within(first, other).isdisjoint({"log_loss", "roc_auc"})
    assert within(first, first) == set(first)
    first, other = (read(runs[f"search-{label}"] / "run.json")["metrics"] for label in ("first", "reseeded"))
    # the sky does not depend on the seed, the background does
    assert {name for name in first if not name.startswith("background_")} <= within(first, other)
    assert "background_mean_loudest_snr" not in within(first, other)


def test_classifier_knows_signal_from_noise(runs: dict[str, Path]) -> None:
    folder = runs["classify-first"]
    result, model = read(folder / "result.json"), read(folder / "model.json")
    assert result["test"]["roc_auc"] > 0.9
    assert result["test"]["accuracy"] > 0.85
    assert result["test"]["log_loss"] < 0.4
    for detector in result["event"].values():
        assert detector["score"] > 0.999
        terms = [
            coefficient * (detector["features"][name] - mean) / scale
            for name, coefficient, mean, scale in zip(
                model["features"], model["coefficients"], model["mean"], model["scale"], strict=True
            )
        ]
        assert 1 / (1 + math.exp(-model["intercept"] - sum(terms))) == pytest.approx(detector["score"], abs=1e-12)


def test_training_and_test_windows_lie_on_either_side_of_the_event(runs: dict[str, Path]) -> None:
    path = runs["classify-first"] / "split.json"
    split, size, rate = read(path), 512, 4096
    starts = {
        name: sorted({part["gps_start"] + example["first"] / rate for example in part["examples"]})
        for name, part in split.items()
    }
    assert starts["train"][-1] + size / rate < EVENT - 0.5
    assert starts["test"][0] > EVENT + 0.5
    for name, part in split.items():
        noise, signal = ([e for e in part["examples"] if (e["snr"] > 0) == is_signal] for is_signal in (False, True))
        assert len(noise) == len(signal) > 150
        assert min(np.diff(starts[name])) >= size / rate
        assert all(e["first"] < e["merger"] < e["first"] + size and 3 <= e["snr"] <= 12 for e in signal)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == read(runs["classify-first"] / "model.json")["trained_on"]["split_sha256"]


def test_the_model_sees_nothing_of_the_test_noise(
    data: Path, runs: dict[str, Path], example: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(data, changed, copy_function=shutil.copyfile)
    changed.chmod(0o755)
    for name in example.fetch.STRAIN.values():
        with h5py.File(changed / name, "r+") as file:
            file["strain/Strain"][17 * 4096 :] = file["strain/Strain"][17 * 4096 :][::-1]
        digest = hashlib.sha256((changed / name).read_bytes()).hexdigest()
        monkeypatch.setitem(example.fetch.SHA256, name, digest)
    example.classify.classify(example.rundoc.Arguments(changed, tmp_path / "out", 1))
    original = runs["classify-first"]
    assert (tmp_path / "out" / "model.json").read_bytes() == (original / "model.json").read_bytes()
    before, after = read(original / "result.json"), read(tmp_path / "out" / "result.json")
    assert before["test"]["log_loss"] != after["test"]["log_loss"]


def test_adding_after_the_filter_equals_injecting_into_the_strain(data: Path, example: SimpleNamespace) -> None:
    files = example.fetch.gather(data)
    template, strain = example.strain.read_template(files), example.strain.read_strain(files, "H1")
    noise = strain.cut(strain.start, strain.start + 15)
    spectrum, length = example.strain.estimate_spectrum(noise, 1), noise.values.size
    matched = example.classify.Filter(template, spectrum, length, noise.rate)
    injected = example.classify.Example("H1", 20000, snr=8.0, phase=1.1, merger=20200)
    wave = template[template.size // 2 - length // 2 :][:length]
    wave = injected.snr / matched.norm * (math.cos(injected.phase) * wave.real + math.sin(injected.phase) * wave.imag)
    shift = length // 2 - injected.merger
    strained = noise.values + np.concatenate([wave[shift:], np.zeros(shift)])
    window = slice(20000, 20512)
    expected = example.classify.features(matched(strained)[:, window])
    got = example.classify.features(matched(noise.values)[:, window] + matched.injection(injected, 512))
    assert got == pytest.approx(expected, abs=1e-5)
    alone = matched.injection(injected, 512)[:-1].sum(axis=0)
    assert np.abs(alone).max() == pytest.approx(8, rel=1e-3)
    assert np.abs(alone).argmax() == 200


def test_known_digest_is_what_sha256sum_prints(data: Path) -> None:
    printed = subprocess.run(["sha256sum", data / H1], capture_output=True, text=True, check=True).stdout.split()[0]
    done = run("fetch.py", "--data", data)
    assert done.returncode == 0, done.stderr
    assert f"{printed}  {(data / H1).resolve()}" in done.stdout.splitlines()


def test_a_flipped_byte_is_refused_by_name(data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "data"
    shutil.copytree(data, broken, copy_function=shutil.copyfile)
    broken.chmod(0o755)
    content = bytearray((broken / H1).read_bytes())
    content[len(content) // 2] ^= 1
    (broken / H1).write_bytes(content)
    done = run("search.py", "--data", broken, "--out", tmp_path / "out")
    assert done.returncode == 1
    for part in (str(broken / H1), hashlib.sha256((data / H1).read_bytes()).hexdigest(),
                 hashlib.sha256(content).hexdigest()):  # fmt: skip
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_data_is_refused_and_left_alone(tmp_path: Path) -> None:
    done = run("fetch.py", BLOCKCHAINTRACER_GW_DATA=str(tmp_path))
    assert done.returncode == 2
    assert H1 in done.stderr
    assert str(tmp_path) in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_data_and_network_it_says_what_to_do(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    proxies = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), nowhere) | dict.fromkeys(("no_proxy", "NO_PROXY"), "")
    done = run("fetch.py", XDG_CACHE_HOME=str(tmp_path / "cache"), **proxies)
    assert done.returncode == 3, done.stderr
    for part in (H1, "gwosc.org", "--data", "BLOCKCHAINTRACER_GW_DATA"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


class Served(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Address of a server that gives out the files under tmp_path/served."""
    (tmp_path / "served").mkdir()
    handler = functools.partial(Served, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_downloads_only_the_published_bytes(
    data: Path, example: SimpleNamespace, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (data / H1).read_bytes()
    (tmp_path / "served" / "right").write_bytes(content)
    (tmp_path / "served" / "wrong").write_bytes(content[:-1] + b"?")
    cache = tmp_path / "cache"
    monkeypatch.setitem(example.fetch.ADDRESSES, H1, (f"{served}/missing", f"{served}/wrong"))
    with pytest.raises(example.fetch.RunError) as refused:
        example.fetch.download(H1, cache)
    assert refused.value.exit_code == 3
    assert "404" in str(refused.value)
    assert f"{served}/wrong: expected SHA-256 {example.fetch.SHA256[H1]}, got" in str(refused.value)
    assert list(cache.iterdir()) == []

    monkeypatch.setitem(example.fetch.ADDRESSES, H1, (f"{served}/missing", f"{served}/wrong", f"{served}/right"))
    assert example.fetch.download(H1, cache).read_bytes() == content
    assert [path.name for path in cache.iterdir()] == [H1]


@pytest.fixture(scope="module")
def other(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of another event: the same wave a thousand seconds later, in files of other names."""
    folder = tmp_path_factory.mktemp("other")
    events = {"GW160000": {"fs": 4096, "tevent": EVENT + 1000, "fband": [35.0, 250.0], "fn_template": "wave.hdf5"}}
    for detector in ("H1", "L1"):
        (name,) = (path.name for path in data.glob(f"*-{detector}_*"))
        events["GW160000"][f"fn_{detector}"] = f"{detector}.hdf5"
        shutil.copyfile(data / name, folder / f"{detector}.hdf5")
        with h5py.File(folder / f"{detector}.hdf5", "r+") as file:
            file["meta/GPSstart"][()] += 1000
    shutil.copyfile(data / "GW150914_4_template.hdf5", folder / "wave.hdf5")
    (folder / "BBH_events_v3.json").write_text(json.dumps(events))
    return folder


def test_another_event_is_searched_by_what_the_events_file_says(other: Path, tmp_path: Path) -> None:
    done = run("search.py", "--event", "GW160000", "--data", other, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    result, document = read(tmp_path / "result.json"), read(tmp_path / "run.json")
    assert result["event"] == document["parameters"]["event"] == "GW160000"
    assert result["H1"]["snr"] == pytest.approx(18.56, abs=0.05)
    assert result["H1"]["gps_time"] == pytest.approx(1126260462.4395, abs=1e-4, rel=0)
    assert document["name"] == "gw160000-search"
    assert document["parameters"]["whitening_band_hz"] == [35.0, 250.0]
    names = {"H1.hdf5", "L1.hdf5", "wave.hdf5", "BBH_events_v3.json"}
    assert {entry["name"] for entry in document["inputs"]} == names


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fs": 16384}, "expected 16384 samples in a second"),
        ({"tevent": EVENT}, f"around GPS {EVENT}"),
        ({"fn_H1": "../H1.hdf5"}, "expected names of files"),
        ({"fn_template": "gone.hdf5"}, "expected gone.hdf5"),
        ({"fband": [1, 2, 3]}, "expected events with files"),
        ({"fs": None}, "expected events with files"),
    ],
)
def test_an_events_file_that_does_not_fit_is_refused(
    other: Path, example: SimpleNamespace, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    for path in other.iterdir():
        (tmp_path / path.name).symlink_to(path)
    events = read(other / "BBH_events_v3.json")
    (tmp_path / "BBH_events_v3.json").unlink()
    (tmp_path / "BBH_events_v3.json").write_text(json.dumps({"GW160000": events["GW160000"] | change}))
    with pytest.raises(example.fetch.RunError, match=said):
        example.strain.read_strain(example.fetch.gather(tmp_path, "GW160000"), "H1")


def test_an_event_that_the_file_does_not_name_is_refused(data: Path, example: SimpleNamespace) -> None:
    with pytest.raises(example.fetch.RunError, match="it has GW150914, GW151226, GW170104, LVT151012"):
        example.fetch.gather(data, "GW190521")
    with pytest.raises(example.fetch.RunError, match="expected H-H1_LOSC_4_V2-1128678884"):
        example.fetch.gather(data, "LVT151012")
