"""What a person at the terminal, and a program that reads it, can rely on."""

import json

from tests.support.labs import verb


def test_json_is_one_object_on_stdout_and_everything_else_on_stderr(lab, tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"x")
    for arguments in (
        ["record", "--dataset", str(file)],
        ["group", "list"],
        ["outbox", "list"],
        ["node", "status"],
        ["estimate", "--gas-price", "1"],
        ["keys", "list"],
    ):
        done = verb(*arguments, "--json", home=lab.home.path)
        assert done.returncode == 0, done.stderr
        assert isinstance(json.loads(done.stdout), dict), arguments
        assert len(done.stdout.splitlines()) == 1


def test_errors_are_json_too_and_carry_the_exit_code(lab, tmp_path):
    done = verb("record", "--metric", "accuracy=high", "--json", home=lab.home.path)
    assert done.returncode == 2
    error = json.loads(done.stdout)
    assert error["error"] == "InputError"
    assert "metrics.accuracy" in error["message"]


def test_wrong_use_says_what_was_expected_and_what_to_do(lab, tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"x")
    for arguments, words in (
        (["record"], "expected something to record"),
        (["record", "--artifact", str(file)], "expected --kind for --artifact"),
        (["record", "--kind", "model", "--dataset", str(file)], "expected --artifact for --kind"),
        (["record", "--dataset", str(tmp_path / "nothing")], "expected a file or folder"),
        (["record", "--dataset", str(file), "--parent", "abc"], "expected a parent as ID:relation"),
        (["record", "--dataset", str(file), "--parent", f"{'ab' * 32}:likes"], "expected a relation"),
        (["record", "--param", "lr"], "expected a parameter as name=value"),
        (["record", "--artifact", str(file), "--kind", "poem"], "expected a kind"),
    ):
        done = verb(*arguments, home=lab.home.path)
        assert done.returncode == 2, (arguments, done.stderr)
        assert words in done.stderr, (arguments, done.stderr)


def test_a_public_network_needs_a_chosen_key(tmp_path):
    done = verb("group", "list", "--network", "nowhere", home=tmp_path)
    assert done.returncode == 2
    assert "expected the name of a network" in done.stderr
