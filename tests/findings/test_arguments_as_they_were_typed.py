"""A relative argument is run again as it was typed, whatever else has its path.

An argument that was equal to an output's path was recorded as `{output}/…`: a later step that read the path itself
found nothing, and NotReproduced was attested.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.lab.capture.program import portable_command, recorded_place
from blockchaintracer.lab.lab import Lab
from tests.support.labs import run_predicate, second_lab
from tests.support.studies import TELL, Study

pytestmark = pytest.mark.node

RUN = """
set -e
cat "$1" "$2" > "$3"
python tell.py
"""
SUM = (
    TELL
    + """
from pathlib import Path
tell(total=sum(map(int, Path("result.txt").read_text().split())))
"""
)


def test_a_step_that_reads_the_path_which_an_argument_names(lab: Lab, tmp_path: Path) -> None:
    study = Study.of(lab, tmp_path / "study", {"run.sh": RUN, "tell.py": SUM, "deep/a.txt": "1\n"})
    beside, away = tmp_path / "data" / "b.txt", tmp_path / "away" / "elsewhere" / "c.txt"
    for file, text in ((beside, "4\n"), (away, "16\n")):
        file.parent.mkdir(parents=True)
        file.write_text(text)
    other = second_lab(lab, tmp_path / "other")
    for arguments, recorded, given in (
        # an output, and an input beside the repository
        (("deep/a.txt", "../data/b.txt", "result.txt"), ("deep/a.txt", "../data/b.txt", "result.txt"), None),
        # absolute: in the repository, and out of it
        (
            (str(study.folder / "deep" / "a.txt"), str(away), str(study.folder / "result.txt")),
            ("./deep/a.txt", "{input:1}", "./result.txt"),
            {"2": "…/a.txt", "3": "…/c.txt", "4": "…/result.txt"},
        ),
    ):
        inputs = ("--dataset", arguments[0], "--dataset", arguments[1])
        run = study.record(*inputs, "--artifact", "result.txt", program=("bash", "run.sh", *arguments))
        code = run_predicate(lab, run).code
        assert (code.entry_point, code.arguments, code.given) == ("bash", ("run.sh", *recorded), given)
        assert str(tmp_path) not in str(code.to_json())
        (study.folder / "result.txt").unlink()
        result = study.repeat(other, run)
        assert (result.verdict, result.reason) == ("reproduced", None)
        assert [output.same for output in result.outputs] == [True]


@pytest.mark.parametrize(
    ("argument", "recorded"),
    [
        ("result.txt", "result.txt"),
        ("./result.txt", "./result.txt"),
        ("--out=result.txt", "--out=result.txt"),
        ("../beside/in.csv", "../beside/in.csv"),
        ("{output}", "{output}"),
        ("/lab/project/result.txt", "./result.txt"),
        ("/lab/project/../project/sub/x", "./sub/x"),
        ("--data=/lab/beside/in.csv", "--data={input:0}"),
        ("data.path=/lab/beside/in.csv", "data.path={input:0}"),
        ("/lab/beside", "{inputs}"),
        ("/lab/out/a=b/model.bin", "{output}/model.bin"),
        ("/usr/share/dict/words", "/usr/share/dict/words"),
    ],
)
def test_only_absolute_paths_are_changed(argument: str, recorded: str) -> None:
    project = Path("/lab/project")
    inputs, outputs = [Path("/lab/beside/in.csv")], [project / "result.txt", Path("/lab/out/a=b/model.bin")]
    command, given = portable_command(["run.sh", argument], project, project, inputs, outputs)
    assert command == ["run.sh", recorded]
    assert list(given) == (["1"] if recorded != argument else [])
    assert "/lab" not in str(given)


def test_what_a_link_in_the_repository_leads_to_is_outside_of_it(tmp_path: Path) -> None:
    """The data lay behind a link, which no checkout has: a repeated run looked for them beside its code."""
    project, disk = tmp_path / "project", tmp_path / "disk"
    for folder in (project, disk):
        folder.mkdir()
        (folder / "x.csv").write_text("x\n")
    (project / "data").symlink_to(disk)
    given = [str(project / name) for name in ("data/x.csv", "data", "x.csv")]
    inputs = [project / "data" / "x.csv", project / "x.csv"]
    command, _ = portable_command(["python", *given], project, project, inputs, [])
    assert command == ["python", "{input:0}", "{inputs}", "./x.csv"]


def test_paths_inside_the_repository_count_from_the_working_folder() -> None:
    command, _ = portable_command(["python3", "/lab/project/x"], Path("/lab/project/sub"), Path("/lab/project"), [], [])
    assert command == ["python", "../x"]


@pytest.mark.parametrize(
    ("path", "argument", "place"),
    [
        ("data/x.csv", "7", (0, "data/x.csv")),
        ("/lab/project/data/x.csv", "7", (0, "data/x.csv")),
        ("../data/x.csv", "../data/x.csv", (1, "data/x.csv")),
        ("../data/x.csv", "--in=../data", (1, "data/x.csv")),
        ("../data", "../data/x.csv", (1, "data")),
        # where it lay tells who and where, and is not needed
        ("../data/x.csv", "/lab/data/x.csv", None),
        ("../data/x.csv", "7", None),
        ("..", "../x", None),
    ],
)
def test_where_an_input_lay(path: str, argument: str, place: tuple[int, str] | None) -> None:
    assert recorded_place(Path(path), Path("/lab/project"), ["python", argument]) == place
