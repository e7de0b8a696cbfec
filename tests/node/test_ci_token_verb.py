"""A run that a job of a local issuer records, its token, and what others see of it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from blockchaintracer.cli import main
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.core.verify.outcomes import Conclusion
from blockchaintracer.extras.tokens import kept_tokens
from blockchaintracer.extras.tokens.issuers import Issuer, issuers
from blockchaintracer.extras.tokens.kept_tokens import add_token, check_token, delete_token, tokens_of, witness_key
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import commit_document
from blockchaintracer.lab.recording.run import RunFacts, finish_run, start_run
from blockchaintracer.lab.recording.run_document import RunDocument
from tests.support.labs import shared_lab
from tests.support.labs import typed as verb
from tests.support.token_issuer import TokenIssuer

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


class Job:
    """A job at a commit of a repository of the issuer's host, and the run that it recorded."""

    def __init__(self, lab: Lab, issuer: TokenIssuer, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.lab, self.issuer, self.said = lab, issuer, list[dict[str, str]]()
        folder.mkdir()
        (folder / "train.py").write_text("print(1)\n")
        remote = f"{issuer.url}/lab/iris.git"
        for command in (
            ("init", "-q", "-b", "main"),
            ("add", "."),
            ("commit", "-qm", "a"),
            ("remote", "add", "origin", remote),
        ):
            subprocess.run([*GIT, *command], cwd=folder, check=True)
        commit = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
        issuer.claims = {
            "repository": "lab/iris",
            "sha": commit.stdout.strip(),
            "ref": "refs/heads/main",
            "run_id": "77",
            "actor": "a-person",
            **issuer.claims,
        }
        for name, value in {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_REPOSITORY": "lab/iris"}.items():
            patch.setenv(name, value)
        document = RunDocument.from_plain({"schema": 1, "name": "a run of a job"})
        self.run = finish_run(lab, start_run(lab, folder), RunFacts(document=document, folder=folder))
        self.issuers: tuple[Issuer, ...] = issuers(github=[issuer.url])

    def add(self, **more: Any) -> Recorded:
        given = {"variables": self.issuer.variables, "allow_local": True} | more
        return add_token(self.lab, self.run.id, self.issuers, self.said.append, **given)[0]  # type: ignore[arg-type]

    def check(self, document: str, **more: Any) -> kept_tokens.TokenReport:
        return check_token(self.lab, document, more.pop("issuers", self.issuers), allow_local=True, **more)


@pytest.fixture
def job(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    with TokenIssuer(life_s=3600).served() as issuer:
        yield Job(lab, issuer, tmp_path / "repository", monkeypatch)


def test_the_life_of_a_token(job: Job, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = job.add()
    assert job.said[0]["actor"] == "a-person"
    assert "a-person" not in lab.store.get_bytes(document.manifest).decode()
    assert tokens_of(lab, job.run.id) == tokens_of(lab, document.id) == [document.id]

    # without asking the issuer it is at most consistent, and no connection is opened
    asked = len(job.issuer.asked)
    report = job.check(document.id)
    assert report.conclusion is Conclusion.CONSISTENT
    assert len(job.issuer.asked) == asked
    report = job.check(document.id, ask=True)
    assert report.conclusion is Conclusion.VERIFIED
    assert "lab/iris (run 77" in report.says
    assert {check.name for check in report.checks} >= {
        "signature",
        "issuer's key",
        "audience",
        "commit",
        "repository",
        "job",
    }

    # it is published once it has expired, although it looks like a secret
    published = tmp_path / "published"
    done = publish(lab, document.id, published)
    assert any("valid until" in reason for reason in done.left_out)
    later = report.expires_at - 1 - time.time()
    monkeypatch.setattr(time, "time", lambda clock=time.time: clock() + later)
    kept_tokens.wait_until_expired(report.expires_at, lambda text: None)
    assert not publish(lab, document.id, published).left_out
    assert job.check(document.id, ask=True).conclusion is Conclusion.VERIFIED

    # the run's verification names it, and judges nothing of it
    told = verb("verify", job.run.id, "--json", home=lab.home.path)
    answer = json.loads(told.stdout)
    assert (told.returncode, answer["ciTokens"]) == (0, [document.id])
    assert f"`ci-token check {job.run.id}` verifies that." in answer["doesNotProve"][-1]

    # and deleted there and here: then it says so
    assert len(delete_token(lab, document.id, [published])) == 2
    report = job.check(document.id, sources=[str(published)])
    assert report.conclusion is Conclusion.UNAVAILABLE
    assert "is not here" in report.checks[0].detail
    assert any("is not in this lab's store" in reason for reason in publish(lab, document.id, published).left_out)


def test_whose_word_the_key_is(job: Job, lab: Lab) -> None:
    document = job.add()
    own = lab.group_number
    other = create_group(lab, "a witness").group
    lab.group_number = other
    witness_key(lab, document.id, job.issuers, allow_local=True)
    lab.group_number = own
    job.issuer.shown = False
    assert job.check(document.id, ask=True).conclusion is Conclusion.CONSISTENT
    assert job.check(document.id, witness_groups=[document.group]).conclusion is Conclusion.CONSISTENT
    assert job.check(document.id, witness_groups=[other]).conclusion is Conclusion.VERIFIED
    with pytest.raises(NotVerified, match="shows no key"):
        witness_key(lab, document.id, job.issuers, allow_local=True)
    job.issuer.shown, job.issuer.private = True, TokenIssuer(key=1).private
    assert job.check(document.id, ask=True).conclusion is Conclusion.NOT_VERIFIED
    # an issuer that the verifier did not choose says nothing
    assert job.check(document.id, ask=True, issuers=issuers()).conclusion is Conclusion.NOT_VERIFIED


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"sha": "9b" * 20}, "commit"),
        ({"repository": "evil/iris"}, "repository"),
        ({"iss": "https://evil.example"}, "none that you chose"),
    ],
)
def test_a_token_that_does_not_fit_is_not_recorded(job: Job, claims: dict[str, str], reason: str) -> None:
    job.issuer.claims |= claims
    with pytest.raises(NotVerified, match=reason):
        job.add()
    assert not job.said


def test_a_token_of_another_record_beside_this_one(job: Job, lab: Lab) -> None:
    """Somebody records a true token of another record as support of this one."""
    document = job.add()
    predicate = kept_tokens._manifest(lab, kept_tokens.required_record(lab, document.id), ())
    other = commit_document(lab, Kind.PLAN, None, name="other", subject_type="identifier", identifier="other")
    given = {
        "name": "CI token",
        "subject_type": "file",
        "values": predicate.values,
        "attachments": predicate.attachments,
    }  # type: ignore[union-attr]
    forged = commit_document(lab, Kind.DOCUMENT, document.subject, [Link(other.id, Relation.SUPPORTS)], **given)
    report = job.check(forged.id, ask=True)
    assert report.conclusion is Conclusion.NOT_VERIFIED
    assert "audience" in [check.name for check in report.checks if check.verdict.value == "fail"]


def test_the_provider_gives_none(job: Job) -> None:
    for variables, kind in (
        ({}, InputError),
        (job.issuer.variables | {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x"}, ChainUnavailable),
    ):
        with pytest.raises(kind) as caught:
            job.add(variables=variables)
        assert job.issuer.variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] not in str(caught.value)
    with pytest.raises(InputError, match="https"):
        job.add(allow_local=False)


def test_the_verb(job: Job, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in job.issuer.variables.items():
        monkeypatch.setenv(name, value)
    local = ("--home", str(lab.home.path), "--github-issuer", job.issuer.url, "--allow-local")

    def typed(*words: str) -> Any:
        return CliRunner().invoke(main, ["ci-token", *words, *local], input="n\n")

    refused = typed("add", job.run.id)
    assert refused.exit_code == 6, refused.output
    assert "actor: a-person" in refused.output
    done = typed("add", job.run.id, "--yes")
    assert done.exit_code == 0, done.output
    [document] = tokens_of(lab, job.run.id)
    verified = CliRunner().invoke(main, ["verify", document, "--home", str(lab.home.path)])
    assert f"ci-token check {document}" in " ".join(verified.output.split())
    shown = typed("check", job.run.id)
    assert shown.exit_code == 4, shown.output
    plain = json.loads(typed("check", job.run.id, "--check-identity", "--json").stdout)
    assert (plain["outcome"], plain["verified"]) == ("verified", True)
    assert plain["tokens"][0]["record"] == job.run.id
