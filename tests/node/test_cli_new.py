"""`new`: a run document to start from, on the command line."""

import json

import pytest

from blockchaintracer.lab.recording.run_document import load_run_document
from blockchaintracer.lab.recording.templates import list_templates, render_template
from tests.support.labs import typed


def test_a_template_is_written_once(tmp_path):
    file = tmp_path / "run.yaml"
    done = typed("new", "--template", "classification", "--output", str(file), home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(file) in done.stdout
    assert load_run_document(file).template.name == "classification"
    file.write_text("mine")
    again = typed("new", "--template", "classification", "--output", str(file), home=tmp_path)
    assert (again.returncode, file.read_text()) == (2, "mine")
    nowhere = typed("new", "--template", "classification", "--output", str(tmp_path / "no" / "run.yaml"), home=tmp_path)
    assert nowhere.returncode == 2


def test_a_template_is_printed_and_all_are_listed(tmp_path):
    assert typed("new", "--template", "benchmark", home=tmp_path).stdout == render_template("benchmark")
    told = json.loads(typed("new", "--list", "--json", home=tmp_path).stdout)
    assert [one["name"] for one in told["templates"]] == [one.name for one in list_templates()]
    assert "gw-search" in typed("new", "--list", home=tmp_path).stdout


@pytest.mark.parametrize("arguments", [(), ("--list", "--template", "benchmark"), ("--template", "nonsense")])
def test_wrong_use(tmp_path, arguments):
    done = typed("new", *arguments, "--json", home=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["error"]) == (2, "InputError")
