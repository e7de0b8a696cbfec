"""Records the search for GW150914: one group analyses, a second reproduces, a third reviews.

    python examples/gw150914/record.py --data FOLDER

FOLDER holds the four published files (default: $BLOCKCHAINTRACER_GW_DATA, else they are downloaded once from GWOSC and
checked by digest). Everything is recorded on the embedded devnet of this repository's working folder.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fetch import VARIABLE, gather

from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.core.record import Kind, Link, Relation, Verdict
from blockchaintracer.lab.attest import attest
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content, record_document
from blockchaintracer.lab.recording.run import RunFacts, Used, finish_run, run_command, start_run

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LICENSE = "CC-BY-4.0"
SOURCE = "https://doi.org/10.7935/K5MW2F23"
SEED = "150914"
FUNDS_WEI = 10**20
DETECTORS = ("H1", "L1")


@dataclass
class Analysis:
    """What the first group recorded.

    Args:
        records: by what they are.
        runs: the two runs, to be reproduced.
        results: what the third group reviews.
    """

    records: dict[str, Recorded]
    runs: list[Recorded]
    results: list[Recorded]


def analyse(lab: Lab, data: Path | None, out: Path) -> Analysis:
    """Records inputs, code and environment, runs both programs, and records what they wrote."""
    files = gather(data)
    records: dict[str, Recorded] = {}
    for name, path in files.items():
        kind = "strain" if "LOSC" in name else "template" if "template" in name else "events"
        key = f"raw {name[2:4]}" if kind == "strain" else f"raw {kind}"
        records[key] = record_content(lab, Kind.DATASET, path, name=name, license=LICENSE, source=SOURCE)
    records["code"] = record_content(
        lab, Kind.SOFTWARE, HERE, name="GW150914 search and classifier", license="MIT", exclude={"__pycache__"}
    )
    records["environment"] = record_content(lab, Kind.ENVIRONMENT, HERE / "requirements.lock")
    paths = {
        **{
            f"raw {detector}": next(path for name, path in files.items() if f"-{detector}_" in name)
            for detector in DETECTORS
        },
        "raw template": next(path for name, path in files.items() if "template" in name),
        "raw events": next(path for name, path in files.items() if "events" in name),
    }

    raw = [Link(records[f"raw {detector}"].id, Relation.DERIVED_FROM) for detector in DETECTORS]
    search = run_program(lab, "search", records, paths, out, Relation.USES)
    by_search = Link(search.id, Relation.GENERATED_BY)
    records["whitened strain"] = record_content(
        lab, Kind.DATASET, out / "search" / "whitened", name="GW150914 whitened strain", parents=[*raw, by_search]
    )
    records["template used"] = record_content(
        lab,
        Kind.DATASET,
        out / "search" / "template.npy",
        name="GW150914 template as filtered",
        parents=[Link(records["raw template"].id, Relation.DERIVED_FROM), by_search],
    )
    records["search result"] = record_result(lab, out / "search" / "result.json", "GW150914 search", [by_search])

    trained_on = [Link(link.parent, Relation.TRAINED_ON) for link in raw]
    classify = run_program(lab, "classify", records, paths, out, Relation.TRAINED_ON)
    by_classify = Link(classify.id, Relation.GENERATED_BY)
    records["model"] = record_content(
        lab,
        Kind.MODEL,
        out / "classify" / "model.json",
        name="GW150914 signal against noise",
        framework="scikit-learn",
        parents=[*trained_on, by_classify],
    )
    evaluated = [Link(records["model"].id, Relation.EVALUATED_ON), by_classify]
    records["classifier result"] = record_result(
        lab, out / "classify" / "result.json", "GW150914 classifier", evaluated
    )
    records |= {"search run": search, "classifier run": classify}
    return Analysis(
        records, [search, classify], [records["search result"], records["classifier result"], records["model"]]
    )


def run_program(
    lab: Lab, program: str, records: dict[str, Recorded], paths: dict[str, Path], out: Path, strain: Relation
) -> Recorded:
    """Runs one of the two programs and records the run."""
    folder = next(iter(paths.values())).parent
    command = [sys.executable, f"examples/gw150914/{program}.py", "--data", str(folder)]
    command += ["--out", str(out / program), "--seed", SEED]
    start = start_run(lab, ROOT)
    code, document = run_command(command, ROOT)
    if code or document is None:
        raise SystemExit(f"{program}.py ended with {code}")
    inputs = [
        Used(records[name], strain if name in ("raw H1", "raw L1") else Relation.USES, path)
        for name, path in paths.items()
    ]
    facts = RunFacts(
        document=document.model_copy(update={"inputs": ()}),
        inputs=inputs,
        outputs=[(output.role, Path(output.path)) for output in document.outputs],
        parents=[Link(records[name].id, Relation.USES) for name in ("code", "environment")],
        command=command,
        folder=ROOT,
        lock=HERE / "requirements.lock",
    )
    return finish_run(lab, start, facts)


def record_result(lab: Lab, path: Path, name: str, parents: list[Link]) -> Recorded:
    """Records a result file with its values in the manifest."""
    return record_document(lab, Kind.RESULT, path, name=name, values=json.loads(path.read_text()), parents=parents)


def member(first: Lab, folder: Path, name: str) -> Lab:
    """A lab with a folder, a key and a group of its own on the first one's chain and registry."""
    lab = Lab(Home(folder), rpc=first.devnet.ensure().url, registry_address=first.registry.address)
    first.devnet.fund(lab.signer.address, FUNDS_WEI)
    create_group(lab, name)
    return lab


def reproduce(first: Lab, second: Lab, run: Recorded, published: Path) -> dict:
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
    where = ["--home", str(second.home.path), "--rpc", str(second.rpc), "--registry", first.registry.address]
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run([*command, *where], cwd=empty, stdout=subprocess.PIPE, text=True, check=False)
    result = json.loads(done.stdout or "{}")
    if done.returncode not in (0, 1) or "error" in result:
        raise SystemExit(f"reproduce ended with {done.returncode}: {result.get('message')}")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help=f"folder with the four files (default: ${VARIABLE}, else GWOSC)")
    parser.add_argument("--home", type=Path, default=ROOT / ".blockchaintracer" / "gw150914", help="working folders")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    say = (lambda *_: None) if given.json else print

    first = Lab(Home(given.home / "analysis"), say=lambda message: print(message, file=sys.stderr))
    deploy(first, open_group_creation=True)
    create_group(first, "Analysis")
    with tempfile.TemporaryDirectory() as out:
        analysis = analyse(first, given.data, Path(out))
    say("Recorded by the analysis group:")
    for name, record in analysis.records.items():
        say(f"  {name:18} {record.kind:12} {record.id}")

    published = given.home / "published"
    second = member(first, given.home / "replication", "Replication")
    found = []
    for run in analysis.runs:
        publish(first, run.id, published)
        found.append(reproduce(first, second, run, published))
        say(f"Replication group on {run.name}: {found[-1]['verdict']}")

    third = member(first, given.home / "review", "Review")
    reviews = [attest(third, result.id, Verdict.REVIEWED) for result in analysis.results]
    say(f"Review group: {len(reviews)} reviewed")
    say(f"\nblockchaintracer lineage {analysis.records['model'].id} --home {given.home / 'analysis'}")
    if given.json:
        print(
            json.dumps(
                {
                    "records": {name: record.id for name, record in analysis.records.items()},
                    "verdicts": [result["verdict"] for result in found],
                    "reviewed": [review.record_id for review in reviews],
                }
            )
        )
    return 0 if all(result["verdict"] == "reproduced" for result in found) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BlockchainTracerError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
