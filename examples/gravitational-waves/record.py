"""Records the search for a gravitational wave: one group analyses, a second reproduces, a third reviews.

    python examples/gravitational-waves/record.py --event GW150914 --data FOLDER

FOLDER holds the events file and the three files that it names for the event (default: $BLOCKCHAINTRACER_GW_DATA, else
those of GW150914 are downloaded once from GWOSC and checked by digest). Everything is recorded on the embedded devnet
of this repository's working folder.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetch import DETECTORS, EVENTS, GW150914, VARIABLE, Files, RunError, gather

from blockchaintracer import BlockchainTracerError, open_lab

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LICENSE = "CC-BY-4.0"
SOURCES = {GW150914: "https://doi.org/10.7935/K5MW2F23"}
SOURCE = "https://gwosc.org"
SEED = "150914"


@dataclass
class Analysis:
    """What the first group recorded.

    Args:
        records: by what they are.
        runs: the two runs, to be reproduced.
        results: what the third group reviews.
    """

    records: dict[str, Any]
    runs: list[Any]
    results: list[Any]


def analyse(lab: Any, name: str, files: Files, out: Path) -> Analysis:
    """Records inputs, code and environment, runs both programs, and records what they wrote."""
    names = {f"raw {detector}": files.event.strain[detector] for detector in DETECTORS}
    names |= {"raw template": files.event.template, "raw events": EVENTS}
    paths = {key: files.paths[file] for key, file in names.items()}
    source = SOURCES.get(name, SOURCE)
    records: dict[str, Any] = {
        key: lab.record(path, "dataset", name=path.name, license=LICENSE, source=source) for key, path in paths.items()
    }
    records["code"] = lab.record(
        HERE, "software", name="search and classifier of gravitational waves", license="MIT", exclude={"__pycache__"}
    )
    records["environment"] = lab.record(HERE / "requirements.lock", "environment")

    raw = [records[f"raw {detector}"].id for detector in DETECTORS]
    search = run_program(lab, "search", name, records, paths, out, "uses")
    by_search = (search.id, "generated-by")
    records["whitened strain"] = lab.record(
        out / "search" / "whitened",
        "dataset",
        name=f"{name} whitened strain",
        parents=[*((record, "derived-from") for record in raw), by_search],
    )
    records["template used"] = lab.record(
        out / "search" / "template.npy",
        "dataset",
        name=f"{name} template as filtered",
        parents=[(records["raw template"].id, "derived-from"), by_search],
    )
    records["search result"] = record_result(lab, out / "search" / "result.json", f"{name} search", [by_search])

    classify = run_program(lab, "classify", name, records, paths, out, "trained-on")
    by_classify = (classify.id, "generated-by")
    records["model"] = lab.record(
        out / "classify" / "model.json",
        "model",
        name=f"{name} signal against noise",
        framework="scikit-learn",
        parents=[*((record, "trained-on") for record in raw), by_classify],
    )
    evaluated = [(records["model"].id, "evaluated-on"), by_classify]
    records["classifier result"] = record_result(lab, out / "classify" / "result.json", f"{name} classifier", evaluated)
    records |= {"search run": search, "classifier run": classify}
    return Analysis(
        records, [search, classify], [records["search result"], records["classifier result"], records["model"]]
    )


def run_program(
    lab: Any, program: str, event: str, records: dict[str, Any], paths: dict[str, Path], out: Path, strain: str
) -> Any:
    """Runs one of the two programs and records the run."""
    folder = next(iter(paths.values())).parent
    command = [sys.executable, f"examples/{HERE.name}/{program}.py", "--event", event, "--data", str(folder)]
    return lab.record_program(
        [*command, "--out", str(out / program), "--seed", SEED],
        folder=ROOT,
        inputs=[
            (records[name], strain if name in ("raw H1", "raw L1") else "uses", path) for name, path in paths.items()
        ],
        parents=[(records[name].id, "uses") for name in ("code", "environment")],
        lock=HERE / "requirements.lock",
    )


def record_result(lab: Any, path: Path, name: str, parents: list[tuple[str, str]]) -> Any:
    """Records a result file with its values in the manifest."""
    return lab.record(path, "result", name=name, values=json.loads(path.read_text()), parents=parents)


def member(first: Any, folder: Path, name: str) -> Any:
    """A lab with a folder, a key and a group of its own on the first one's chain and registry."""
    lab = first.open_colleague(folder)
    lab.create_group(name)
    return lab


def reproduce(first: Any, second: Any, run: Any, published: Path) -> dict:
    """The second group, in a process of its own that starts in an empty folder."""
    command = [
        sys.executable,
        "-m",
        "blockchaintracer",
        "reproduce",
        run.id,
        "--from",
        str(published),
        "--yes",
        "--json",
    ]
    where = ["--home", str(second.folder), "--rpc", second.node_url(), "--registry", first.registry.address]
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run([*command, *where], cwd=empty, stdout=subprocess.PIPE, text=True, check=False)
    result = json.loads(done.stdout or "{}")
    if done.returncode not in (0, 1) or "error" in result:
        raise SystemExit(f"reproduce ended with {done.returncode}: {result.get('message')}")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--event", default=GW150914, metavar="NAME", help="as the events file has it (%(default)s)")
    parser.add_argument("--data", type=Path, help=f"folder with the four files (default: ${VARIABLE}, else GWOSC)")
    parser.add_argument("--home", type=Path, help="working folders (default: below the repository's .blockchaintracer)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    given.home = given.home or ROOT / ".blockchaintracer" / given.event.lower()
    say = (lambda *_: None) if given.json else print

    # before a chain is started for them
    files = gather(given.data, given.event)
    first = open_lab(given.home / "analysis", say=lambda message: print(message, file=sys.stderr))
    first.deploy(open_group_creation=True)
    first.create_group("Analysis")
    with tempfile.TemporaryDirectory() as out:
        analysis = analyse(first, given.event, files, Path(out))
    say("Recorded by the analysis group:")
    for name, record in analysis.records.items():
        say(f"  {name:18} {record.kind:12} {record.id}")

    published = given.home / "published"
    second = member(first, given.home / "replication", "Replication")
    found = []
    for run in analysis.runs:
        first.publish(run.id, published)
        found.append(reproduce(first, second, run, published))
        say(f"Replication group on {run.name}: {found[-1]['verdict']}")

    third = member(first, given.home / "review", "Review")
    for result in analysis.results:
        third.attest(result.id, "reviewed")
    say(f"Review group: {len(analysis.results)} reviewed")
    say(f"\nblockchaintracer lineage {analysis.records['model'].id} --home {given.home / 'analysis'}")
    if given.json:
        print(
            json.dumps(
                {
                    "records": {name: record.id for name, record in analysis.records.items()},
                    "verdicts": [result["verdict"] for result in found],
                    "reviewed": [result.id for result in analysis.results],
                }
            )
        )
    return 0 if all(result["verdict"] == "reproduced" for result in found) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BlockchainTracerError, RunError) as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
