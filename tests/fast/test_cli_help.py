"""Every verb and option says what it is."""

import io
import json
import re

import click
import pytest
from click.testing import CliRunner

from blockchaintracer.cli import SECTIONS, VERBS, load, main
from blockchaintracer.cli.options import Verb, lab_options, require_consent


def commands():
    for name in VERBS:
        command = load(name)
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", inner) for sub, inner in command.commands.items())


def test_every_verb_has_help_with_an_example():
    for name in VERBS:
        done = CliRunner().invoke(main, [name, "--help"])
        assert done.exit_code == 0, name
        assert "Example" in done.output, name
        assert f"blockchaintracer {name}" in done.output, name


def test_no_line_of_a_help_text_is_wider_than_80_columns_and_no_summary_is_cut():
    for name, command in [*commands(), ("", main)]:
        parent = click.Context(main, info_name="blockchaintracer")
        shown = command.get_help(click.Context(command, parent, name, terminal_width=80, max_content_width=80))
        assert [line for line in shown.splitlines() if len(line) > 80] == [], name
        for summary in [inner.help for inner in getattr(command, "commands", {}).values()]:
            assert re.split(r"\.(?=\s|$)", " ".join(summary.split()))[0] in " ".join(shown.split()), name


def test_every_option_and_command_says_what_it_is():
    for name, command in commands():
        assert command.help, name
        for param in command.params:
            if isinstance(param, click.Option) and param.name != "verbosity":
                assert param.help, f"{name} {param.opts}"


def test_no_option_takes_a_key_or_a_passphrase():
    for name, command in commands():
        for param in command.params:
            for option in param.opts:
                # a value that is not shown is no key, and the name of a file none either
                assert option in ("--private-param", "--private-metric", "--secret-file", "--allow-secret") or not any(
                    word in option for word in ("private", "passphrase", "password", "secret", "mnemonic")
                ), (
                    name,
                    option,
                )


def test_lab_options_leave_no_option_out():
    @lab_options
    def command(**options):
        """Nothing."""

    verb = click.command(cls=Verb)(command)
    assert {param.name for param in verb.params} == {"json", "home", "registry", "key", "network", "rpc", "chain_id"}


def test_the_help_shows_each_verb_once_in_six_groups():
    shown = " ".join(SECTIONS.values()).split()
    assert (len(SECTIONS), sorted(shown)) == (6, sorted(VERBS))
    done = CliRunner().invoke(main, ["--help"])
    assert all(f"\n{title}:\n" in done.output for title in SECTIONS)
    done = CliRunner().invoke(main, ["verify", "--help"])
    assert (
        done.output.index("--proof FILE") < done.output.index("Lab, network and key:") < done.output.index("--rpc URL")
    )


def test_a_mistyped_verb_is_answered_with_the_nearest():
    done = CliRunner().invoke(main, ["veryfi", "x"])
    assert (done.exit_code, "Did you mean verify?" in done.output) == (2, True)


def test_an_unknown_command_of_a_group_is_answered_with_the_nearest_or_with_all():
    done = CliRunner().invoke(main, ["batch", "anchr"])
    assert (done.exit_code, "Did you mean anchor?" in done.output) == (2, True)
    done = CliRunner().invoke(main, ["batch", "status"])
    assert (done.exit_code, "There are add, anchor, cancel, end, list." in done.output) == (2, True)


def test_a_question_without_an_answer_is_no_stop_of_work(monkeypatch, capsys):
    @click.command(cls=Verb)
    def verb():
        require_consent("Do it?")
        click.echo("done")

    def answered(answers, *args):
        monkeypatch.setattr("sys.stdin", io.StringIO(answers))
        with pytest.raises(SystemExit) as ended:
            verb.main(list(args))
        return ended.value.code, *capsys.readouterr()

    code, _, said = answered("")
    assert (code, "no answer came: nothing was done" in said, "--yes" in said) == (2, True, True)
    assert json.loads(answered("", "--json")[1])["outcome"] == "wrong use"
    code, _, said = answered("n\n")
    assert (code, "Nothing was done: you said no." in said) == (6, True)
    code, shown, _ = answered("y\n")
    assert (code, shown.strip()) == (0, "done")


def test_completion_for_each_shell(monkeypatch):
    for shell in ("bash", "zsh", "fish"):
        done = CliRunner().invoke(main, ["completion", shell])
        assert (done.exit_code, "_BLOCKCHAINTRACER_COMPLETE" in done.output) == (0, True)
    words = {"COMP_WORDS": "blockchaintracer verify --network base", "COMP_CWORD": "3"}
    words |= {"_BLOCKCHAINTRACER_COMPLETE": "bash_complete"}
    done = CliRunner().invoke(main, [], prog_name="blockchaintracer", env=words)
    assert done.output.split() == ["plain,base", "plain,base-sepolia"]
