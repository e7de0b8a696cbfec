"""The programs, one a row: what their author types, and what is changed to see whether a reproduction notices."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent / "programs"
ROOT = HERE.parents[2]
STRAIN = Path(os.environ.get("BLOCKCHAINTRACER_GW_DATA", ROOT.parent / "shared" / "data" / "gw150914"))
_SKLEARN = find_spec("sklearn")
DATA = Path(str(_SKLEARN and _SKLEARN.origin)).parent / "datasets" / "data"
NUMBER = r"([-+.\de]+)"


@dataclass(frozen=True)
class Change:
    """One change of a program's files: a text that occurs once in a file is replaced. An empty `file` means the
    command."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Program:
    """A program as its author left it.

    Args:
        world: what kind of program it is.
        command: what follows `record --`; it runs in `within`, a folder of the repository.
        options: of `record`.
        install: the author's commands that make `.venv`, after those that write the lock, `lock`.
        changes: by name: ``data``, ``seed``, ``code`` and ``library``.
        expected: the verdict on the program as it is, by the table of docs/reproduce.md.
        asked: more options of `reproduce`, by the name of a further case, with the verdict of that case.
        files: what is copied, by place in the repository; what lies outside of the repository stays there.
        again: the command for a second time, if a tool would find everything up to date.
        second: the verdict on the second time, if it is another.
        package: a source package of the index, and the files in it that are copied into the repository, unchanged.
    """

    name: str
    world: str
    command: tuple[str, ...]
    options: tuple[str, ...] = ()
    lock: tuple[tuple[str, ...], ...] = ()
    install: tuple[tuple[str, ...], ...] = ()
    changes: Mapping[str, Change] = field(default_factory=dict)
    expected: str = "reproduced"
    asked: Mapping[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    within: str = "."
    again: tuple[str, ...] = ()
    second: str = ""
    package: tuple[str, ...] = ()

    def sources(self) -> dict[str, Path]:
        """Return the files to copy, by their place in the repository."""
        packaged = {Path(name).name: unpacked(self.package[0]) / name for name in self.package[1:]}
        return _of_folder(HERE / self.name) | dict(self.files) | packaged


@cache
def unpacked(package: str) -> Path:
    """Fetch a source package by pip, once, and return the folder of its files."""
    kept = ROOT / ".build" / "packages" / package
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            fetch = (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", package)
            subprocess.run(fetch, cwd=scratch, check=True, timeout=400)
            (archive,) = Path(scratch).iterdir()
            shutil.unpack_archive(archive, Path(scratch, "files"), filter="data")
            (folder,) = Path(scratch, "files").iterdir()
            folder.rename(kept)
    return kept


BARE = (("uv", "venv", "-q", "--python", f"{sys.base_prefix}/bin/python3"),)
PIP = (*BARE, ("uv", "pip", "install", "-q", "-r", "requirements.txt"))
SYNC = (*BARE, ("uv", "sync", "-q"))


def _with(*packages: str) -> tuple[tuple[str, ...], ...]:
    return (*BARE, ("uv", "pip", "install", "-q", *packages))


_TABLE = {"decay.csv": HERE / "unpinned" / "decay.csv"}
_DECAY = Change("decay.csv", "\n12,4", "\n12,5")
_IRIS = Change("iris.csv", "\n5.1,3.5,1.4,0.2,0\n4.9", "\n5.1,3.5,9.4,0.2,0\n4.9")
_HALF_LIFE = {
    "data": _DECAY,
    "seed": Change("half_life.py", "SEED = 42", "SEED = 43"),
    "code": Change("half_life.py", "lifetime * np.log(2)", "lifetime / np.log(2)"),
}


def _of_folder(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _read(place: str, **words: str) -> tuple[str, ...]:
    """Return the options that read metrics from a place: the number after some words."""
    patterns = {name: rf"{before} ?{NUMBER}" for name, before in words.items()}
    return tuple(part for name, it in patterns.items() for part in ("--metric-from", f"{name}={place}:{it}"))


PROGRAMS = [
    Program(
        "scikit_learn",
        "a gallery example of scikit-learn",
        ("python", "plot_iris_logistic.py"),
        ("--dataset", "iris.csv", *_read("stdout", accuracy="Accuracy:", log_loss="Log loss:")),
        install=PIP,
        files={"iris.csv": DATA / "iris.csv"},
        changes={
            "data": _IRIS,
            "seed": Change("plot_iris_logistic.py", "random_state=0", "random_state=1"),
            "code": Change("plot_iris_logistic.py", "C=1.0", "C=0.9"),
            "library": Change("requirements.txt", "scikit-learn==1.9.1", "scikit-learn==1.7.2"),
        },
    ),
    Program(
        "statsmodels_notebook",
        "a notebook with statsmodels and a figure; its last cell gives the numbers",
        ("ols.ipynb", "-p", "seed=10"),
        ("--dataset", "decay.csv"),
        install=PIP,
        files=_of_folder(ROOT / "examples" / "notebook"),
        changes={
            "data": _DECAY,
            "seed": Change("", "seed=10", "seed=11"),
            "code": Change("ols.ipynb", "counts[keep] - 20", "counts[keep] - 19"),
            "library": Change("requirements.txt", "statsmodels==0.15.0", "statsmodels==0.14.6"),
        },
    ),
    Program(
        "torch_demo",
        "a demo of PyTorch with argparse and metrics.json",
        ("python", "main.py", "--epochs", "20", "--seed", "1"),
        ("--dataset", "iris.csv", "--model", "iris.pt", "--metrics", "metrics.json"),
        install=PIP,
        files={"iris.csv": DATA / "iris.csv"},
        changes={
            "data": _IRIS,
            "seed": Change("", "1", "2"),
            "code": Change("main.py", "nn.ReLU()", "nn.Tanh()"),
        },
    ),
    Program(
        "lightgbm_demo",
        "a demo of LightGBM",
        ("python", "simple_example.py"),
        ("--dataset", "data/wine.csv", "--model", "model.txt", "--metrics", "metrics.json"),
        install=PIP,
        files={"data/wine.csv": DATA / "wine_data.csv"},
        changes={
            "data": Change("data/wine.csv", "\n13.2,1.78,", "\n19.2,1.78,"),
            "seed": Change("simple_example.py", "default_rng(20)", "default_rng(21)"),
            "code": Change("simple_example.py", '"learning_rate": 0.05', '"learning_rate": 0.06'),
            "library": Change("requirements.txt", "lightgbm==4.7.0", "lightgbm==4.6.0"),
        },
    ),
    Program(
        "shell_pipeline",
        "two steps in bash and awk; the second reads a fixed path",
        ("bash", "run.sh", "result.txt"),
        (
            *("--dataset", "decay.csv", "--artifact", "result.txt"),
            *_read("result.txt", background="background", area="area", jitter="jitter"),
        ),
        install=BARE,
        changes={
            "data": _DECAY,
            "seed": Change("run.sh", "seed=11", "seed=12"),
            "code": Change("run.sh", "area += $2 - b", "area += $2"),
        },
    ),
    Program(
        "shell_state",
        "bash that goes on from what its last run left",
        ("bash", "run.sh"),
        ("--dataset", "decay.csv", *_read("stdout", weighted="weighted")),
        install=BARE,
        changes={"data": _DECAY, "code": Change("run.sh", "sum * runs", "sum + runs")},
        # that bash read the file is not seen, so the file is not published
        second="inconclusive",
    ),
    Program(
        "src_layout",
        "a package in src/, installed by -e .",
        ("python", "-m", "curvefit", "decay.csv", "3"),
        ("--dataset", "decay.csv", "--metrics", "fit.json"),
        install=PIP,
        changes={
            "data": _DECAY,
            "seed": Change("", "3", "4"),
            "code": Change("src/curvefit/model.py", "BACKGROUND = 20.0", "BACKGROUND = 19.0"),
            "library": Change("requirements.txt", "numpy==2.4.6", "numpy==2.2.6"),
        },
    ),
    Program(
        "snakemake_workflow",
        "two rules of Snakemake",
        ("snakemake", "--cores", "1"),
        ("--metrics", "results/fit.json"),
        again=("snakemake", "--cores", "1", "--forceall"),
        install=PIP,
        files=_of_folder(ROOT / "examples" / "workflow"),
        changes={
            "data": _DECAY,
            "seed": Change("Snakefile", "seed=5", "seed=6"),
            "code": Change("fit.py", "np.std(areas)", "np.var(areas)"),
            "library": Change("requirements.txt", "numpy==2.4.6", "numpy==2.2.6"),
        },
    ),
    Program(
        "uv_project",
        "a project of uv with uv.lock",
        ("python", "half_life.py"),
        ("--dataset", "decay.csv", "--metrics", "result.json"),
        lock=(("uv", "lock", "-q"),),
        install=SYNC,
        changes=_HALF_LIFE | {"library": Change("pyproject.toml", "scipy==1.17.1", "scipy==1.15.3")},
    ),
    Program(
        "poetry_project",
        "a project of Poetry with poetry.lock",
        ("python", "half_life.py"),
        ("--dataset", "decay.csv", "--metrics", "result.json"),
        # what `poetry install` installs: Poetry itself reads an index that not every mirror has
        install=(*BARE, ("uv", "pip", "install", "-q", "numpy==2.4.6", "scipy==1.17.1")),
        changes=_HALF_LIFE,
    ),
    Program(
        "unpinned",
        "requirements that pin nothing",
        ("python", "fit.py"),
        ("--dataset", "decay.csv", "--metrics", "result.json"),
        install=PIP,
        changes={
            name: replace(change, file=change.file.replace("half_life", "fit")) for name, change in _HALF_LIFE.items()
        }
        | {"library": Change("requirements.txt", "scipy>=1.15", "scipy<1.16")},
    ),
    Program(
        "url_input",
        "reads its data from an address",
        ("python", "wine.py"),
        _read("stdout", mean="mean alcohol of the sample:"),
        install=BARE,
        changes={
            "seed": Change("wine.py", "random.seed(4)", "random.seed(5)"),
            "code": Change("wine.py", "row[0]", "row[1]"),
        },
        expected="inconclusive",
        asked={"with network": (("--allow-network",), "reproduced")},
    ),
    Program(
        "stdout_only",
        "prints its result and writes nothing",
        ("python", "pi.py", "points.txt", "--seed", "7"),
        ("--dataset", "points.txt", *_read("stdout", pi="pi is about")),
        install=BARE,
        changes={
            "data": Change("points.txt", "200000", "200001"),
            "seed": Change("", "7", "8"),
            "code": Change("pi.py", "4 * inside", "5 * inside"),
        },
    ),
    Program(
        "unseeded",
        "draws random numbers without a seed",
        ("python", "pi.py", "points.txt"),
        ("--dataset", "points.txt", *_read("stdout", pi="pi is about")),
        install=BARE,
        changes={
            "data": Change("points.txt", "200000", "200001"),
            "code": Change("pi.py", "4 * inside", "5 * inside"),
        },
        expected="not-reproduced",
    ),
    Program(
        "gpu_optional",
        "takes a GPU if there is one",
        ("python", "train.py"),
        ("--dataset", "iris.csv", *_read("stdout", loss="final loss")),
        install=PIP,
        files={"iris.csv": DATA / "iris.csv"},
        changes={
            "data": _IRIS,
            "seed": Change("train.py", "manual_seed(3)", "manual_seed(4)"),
            "code": Change("train.py", "range(200)", "range(199)"),
        },
    ),
    Program(
        "make_c",
        "C, compiled and run by make",
        ("make", "result.txt"),
        ("--dataset", "decay.csv", *_read("result.txt", area="area:")),
        again=("make", "-B", "result.txt"),
        install=BARE,
        changes={
            "data": _DECAY,
            "seed": Change("Makefile", "./integrate 9", "./integrate 8"),
            "code": Change("integrate.c", "0.5 * (counts", "0.6 * (counts"),
        },
    ),
    Program(
        "dvc_pipeline",
        "two stages of DVC, whose files name data and metrics",
        ("dvc", "repro"),
        again=("dvc", "repro", "--force"),
        install=(*PIP, ("dvc", "init", "-q")),
        changes={
            "data": _DECAY,
            "seed": Change("params.yaml", "seed: 12", "seed: 13"),
            "code": Change("fit.py", "statistics.stdev", "statistics.pstdev"),
        },
    ),
    Program(
        "config_file",
        "a config.yaml, and a log of epochs in CSV",
        ("python", "train.py", "config.yaml"),
        ("--dataset", "decay.csv", "--metrics", "log.csv"),
        install=PIP,
        changes={
            "data": _DECAY,
            "seed": Change("config.yaml", "seed: 8", "seed: 9"),
            "code": Change("train.py", "t / 80) ** 2", "t / 80) ** 3"),
            "library": Change("requirements.txt", "numpy==2.4.6", "numpy==2.2.6"),
        },
    ),
    Program(
        "ligo_search",
        "the search for GW150914 on the public strain; tells its metrics itself",
        ("python", "search.py", "--data", str(STRAIN), "--out", "results"),
        install=(*BARE, ("uv", "pip", "install", "-q", "-r", "requirements.lock")),
        files={
            name: ROOT / "examples" / "gravitational-waves" / name
            for name in ("search.py", "fetch.py", "rundoc.py", "strain.py", "requirements.lock")
        },
        changes={
            "seed": Change("rundoc.py", "default=150914", "default=150915"),
            "code": Change("search.py", "SEGMENT_SECONDS = 4", "SEGMENT_SECONDS = 2"),
        },
    ),
    Program(
        "quickstart",
        "scikit-learn, with the run document of BlockchainTracer",
        ("python", "train.py", "--data", "breast_cancer.csv", "--out", "results"),
        ("--dataset", "breast_cancer.csv"),
        install=(*BARE, ("uv", "pip", "install", "-q", "-r", "requirements.lock")),
        files={name: ROOT / "examples" / "quickstart" / name for name in ("train.py", "requirements.lock")}
        | {"breast_cancer.csv": DATA / "breast_cancer.csv"},
        changes={
            "data": Change("breast_cancer.csv", "\n17.99,10.38,122.8", "\n97.99,10.38,122.8"),
            "seed": Change("train.py", "default=7", "default=8"),
            "code": Change("train.py", "STRENGTH = 1.0", "STRENGTH = 0.9"),
        },
    ),
    Program(
        "mlflow_logs",
        "logs its metrics to MLflow",
        ("python", "train.py"),
        ("--dataset", "decay.csv", "--metrics", "mlflow.db"),
        install=PIP,
        files=_TABLE,
        changes={
            "data": _DECAY,
            "seed": Change("train.py", "seed(5)", "seed(6)"),
            "code": Change("train.py", "n - 20.0 for", "n - 19.0 for"),
        },
    ),
    Program(
        "lightning_csv",
        "PyTorch Lightning with its CSVLogger",
        ("python", "train.py", "--seed", "1"),
        ("--dataset", "iris.csv", "--metrics", "logs/lightning_logs/*/metrics.csv"),
        install=PIP,
        files={"iris.csv": DATA / "iris.csv"},
        changes={
            "data": _IRIS,
            "seed": Change("", "1", "2"),
            "code": Change("train.py", "nn.ReLU()", "nn.Tanh()"),
        },
    ),
    Program(
        "uv_run",
        "a project of uv, started by uv",
        ("uv", "run", "half_life.py"),
        ("--dataset", "decay.csv", "--metrics", "result.json"),
        lock=(("uv", "lock", "-q"),),
        install=BARE,
        files=_of_folder(HERE / "uv_project"),
        changes=_HALF_LIFE | {"library": Change("pyproject.toml", "scipy==1.17.1", "scipy==1.15.3")},
    ),
    Program(
        "simpy_bank",
        "an example of SimPy",
        ("python", "bank_renege.py"),
        ("--metric-from", r"last=stdout:([\d.]+) Customer04"),
        install=_with("simpy==4.1.2"),
        package=("simpy==4.1.2", "docs/examples/code/bank_renege.py"),
        changes={
            "seed": Change("bank_renege.py", "RANDOM_SEED = 42", "RANDOM_SEED = 43"),
            "code": Change("bank_renege.py", "time_in_bank=12.0", "time_in_bank=6.0"),
        },
    ),
    Program(
        "deap_pool",
        "an example of DEAP with a pool of processes",
        ("python", "onemax_mp.py"),
        (
            "--metric-from",
            r"average=stdout:^40\s+\d+\s+(\S+)",
            "--metric-from",
            r"deviation=stdout:^40\s+\d+\s+\S+\s+(\S+)",
        ),
        install=_with("deap==1.4.4"),
        package=("deap==1.4.4", "examples/ga/onemax_mp.py"),
        changes={
            "seed": Change("onemax_mp.py", "main(64)", "main(65)"),
            "code": Change("onemax_mp.py", "indpb=0.05", "indpb=0.06"),
        },
    ),
    Program(
        "lmfit_gauss",
        "an example of lmfit that reads a table and draws",
        ("python", "doc_builtinmodels_nistgauss.py"),
        (
            *("--dataset", "NIST_Gauss2.dat"),
            *(
                "--metric-from",
                r"center=stdout:g1_center:\s+(\S+)",
                "--metric-from",
                r"chi=stdout:chi-square\s+= (\S+)",
            ),
        ),
        install=_with("lmfit==1.3.4", "matplotlib==3.11.2"),
        package=("lmfit==1.3.4", "examples/doc_builtinmodels_nistgauss.py", "examples/NIST_Gauss2.dat"),
        changes={
            "data": Change("NIST_Gauss2.dat", "   97.58776  ", "   98.58776  "),
            "code": Change("doc_builtinmodels_nistgauss.py", "min=75, max=125", "min=75, max=100"),
        },
    ),
    Program(
        "networkx_lollipop",
        "an example of networkx that draws",
        ("python", "plot_properties.py"),
        _read("stdout", length="average shortest path length", density="density:"),
        install=_with("networkx==3.6.1", "matplotlib==3.11.2", "numpy==2.4.6"),
        package=("networkx==3.6.1", "examples/basic/plot_properties.py"),
        changes={"code": Change("plot_properties.py", "lollipop_graph(4, 6)", "lollipop_graph(4, 7)")},
    ),
    Program(
        "cutadapt_cli",
        "a tool of a package, with worker processes and a report in JSON",
        ("cutadapt", "-j", "2", "-a", "AGATCGGAAGAGC", "--json", "report.json", "-o", "trimmed.fastq", "reads.fastq"),
        ("--dataset", "reads.fastq", "--artifact", "trimmed.fastq", "--metrics", "report.json"),
        install=_with("cutadapt==5.2"),
        changes={
            "data": Change("reads.fastq", "CGAGTCGGTTATCTTCGGATACTGTATAGTCCC", "CGAGTCGGTTATCTTCGGATAGATCGGAAGAGC"),
            "seed": Change("", "AGATCGGAAGAGC", "AGATCGGAAGTTT"),
        },
    ),
    Program(
        "csvstat_cli",
        "a tool of a package that prints statistics",
        ("csvstat", "-c", "counts", "decay.csv"),
        ("--dataset", "decay.csv", "--metric-from", r"mean=stdout:Mean:\s+(\S+)"),
        install=_with("csvkit==2.2.0"),
        files=_TABLE,
        changes={"data": _DECAY},
    ),
    Program(
        "console_script",
        "an entry point of the project itself, a config in INI and spawned workers",
        ("decayfit", "-c", "fit.ini", "-j", "2"),
        ("--dataset", "decay.csv", "--metric-from", r"area=stdout:area\t(\S+)"),
        install=_with("-e", "."),
        files=_TABLE,
        changes={
            "data": _DECAY,
            "seed": Change("fit.ini", "seed = 3", "seed = 4"),
            "code": Change("src/decayfit/__init__.py", "counts - background + noise", "counts - background - noise"),
            "library": Change("pyproject.toml", "numpy==2.4.6", "numpy==2.2.6"),
        },
    ),
    Program(
        "hydra_app",
        "Hydra, which writes where the time says",
        ("python", "app.py", "model.background=19.5"),
        ("--dataset", "decay.csv", "--metrics", "outputs/*/*/metrics.json"),
        install=PIP,
        files=_TABLE,
        changes={
            "data": _DECAY,
            "seed": Change("conf/config.yaml", "seed: 8", "seed: 9"),
            "code": Change("app.py", "k=200", "k=199"),
        },
    ),
    Program(
        "threads",
        "adds up what threads give, in the order in which they end",
        ("python", "walks.py", "7"),
        ("--dataset", "decay.csv", *_read("stderr", mean="mean of means:")),
        install=BARE,
        files=_TABLE,
        changes={
            "data": _DECAY,
            "seed": Change("", "7", "1000"),
            "code": Change("walks.py", "/ 3 for", "/ 3.01 for"),
        },
    ),
    Program(
        "own_folder",
        "writes into the folder of its source, and goes on from there",
        ("python", "summary.py"),
        ("--dataset", "decay.csv", "--metrics", "summary.json"),
        install=BARE,
        files=_TABLE,
        changes={"data": _DECAY, "code": Change("summary.py", "BACKGROUND = 20.0", "BACKGROUND = 19.0")},
    ),
    Program(
        "cd_relative",
        "goes into a folder, and reads and writes beside it",
        ("sh", "-c", "cd analysis && python fit.py"),
        ("--dataset", "data/decay.csv", *_read("half_life.txt", half_life="half-life:")),
        install=BARE,
        files={"data/decay.csv": HERE / "unpinned" / "decay.csv"},
        changes={
            "data": Change("data/decay.csv", "\n12,4", "\n12,5"),
            "code": Change("analysis/fit.py", "n - 20)", "n - 19)"),
        },
    ),
    Program(
        "locale_numbers",
        "prints numbers as the locale has them",
        ("python", "report.py"),
        ("--dataset", "decay.csv", *_read("stdout", total="total")),
        install=BARE,
        files=_TABLE,
        changes={"data": _DECAY, "code": Change("report.py", "sum(counts), grouping", "min(counts), grouping")},
    ),
    Program(
        "sqlite_report",
        "fills a table of SQLite, and goes on from it",
        ("python", "report.py"),
        ("--dataset", "decay.csv", *_read("stdout", rows="rows=", mean="mean=")),
        install=BARE,
        files=_TABLE,
        changes={"data": _DECAY, "code": Change("report.py", "t > 40", "t > 41")},
    ),
    Program(
        "makefile_project",
        "three steps of make, with awk, sort and cut",
        ("make", "SEED=4"),
        ("--dataset", "decay.csv", *_read("results/summary.txt", ten="sum of ten =", lines="lines =")),
        again=("make", "-B", "SEED=4"),
        install=BARE,
        files=_TABLE,
        changes={
            "data": _DECAY,
            "seed": Change("", "SEED=4", "SEED=5"),
            "code": Change("Makefile", "head -n 10", "head -n 11"),
        },
    ),
    Program(
        "prebuilt",
        "starts a program that was compiled before, which git ignores",
        ("sh", "run.sh"),
        ("--dataset", "decay.csv", *_read("stdout", area="area:")),
        install=(*BARE, ("cc", "-O1", "-o", "integrate", "integrate.c")),
        files=_TABLE,
        changes={"data": _DECAY},
        expected="inconclusive",
    ),
]
"""Add a row for a program of another world, and its files in `programs/NAME`."""
SMALL = ("stdout_only", "shell_pipeline", "src_layout")
"""What `make test-all` runs."""
