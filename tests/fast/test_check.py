"""Results that a repository states, against records on a real chain: what holds, and every way in which one doesn't."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.check.claims import read_claims
from blockchaintracer.extras.check.stated_number import read_last_number, read_number
from tests.support.labs import ROOT


@pytest.mark.parametrize(
    ("stated", "recorded", "holds"),
    [
        ("0.93", 0.9345, True), ("0.935", 0.9345, True), ("0.934", 0.9345, True), ("0.936", 0.9345, False),
        ("0.9345", 0.9345, True), ("0.93450", 0.9345, True), ("0.94", 0.9345, False), ("93.5%", 0.9345, True),
        ("93 %", 0.9345, True), ("94%", 0.9345, False), ("93.45", 0.9345, False), ("1", 0.9345, True),
        ("1.3e-3", 1.25e-3, True), ("1.25e-3", 1.25e-3, True), ("1.24e-3", 1.25e-3, False), ("-2.5", -2.5, True),
        ("\u22122.5", -2.5, True), ("2.5", -2.5, False), ("1200", 1234.0, False), ("1.2e3", 1234.0, True),
        ("0.1", 0.1, True), ("0.30", 0.1 + 0.2, True), ("12,345", 12345, True), ("12,345", 345, False),
        ("12,345", 12.345, False),
        ("1 234 567", 1234567, True), (".5", 0.5, True), ("0.93 +- 0.02", 0.934, True), ("0.93 ± 0.02", 0.94, False),
        ("0.93(2)", 0.93, True), ("1.2 x 10^-3", 0.00123, True), ("1.2 \u00d7 10\u207b\u00b3", 0.0012, True),
        (r"1.2 \times 10^{-3}", 0.0012, True), (r"$0.93\pm0.02$", 0.93, True), ("(1.2 ± 0.1) x 10^-3", 0.0012, True),
        (r"12\,345", 12345, True), ("12345678901234567890", 12345678901234567890, True), ("1", float("nan"), False),
        ("12345678901234567891", 12345678901234567890, False), ("1", float("inf"), False),
        ("93.4 ± 0.2 %", 0.934, True),
    ],
)  # fmt: skip
def test_a_stated_number_is_as_exact_as_its_last_digit(stated, recorded, holds):
    assert read_number(stated).rounds(recorded) is holds


@pytest.mark.parametrize(
    ("stated", "uncertainty", "holds"),
    [
        ("0.93 ± 0.02", 0.0204, True), ("0.93 ± 0.02", 0.03, False), ("0.93(2)", 0.02, True), ("0.93(2)", 2, False),
        ("12.3(1.5)", 1.46, True), ("1.2(3)e1", 3, True), ("1.2(3)e1", 30, False), ("0.93(2)e-3", 2e-5, True),
        ("(1.2 ± 0.1) x 10^-3", 1e-4, True), ("1.2e-3 ± 1e-4", 1e-4, True), ("93.4 ± 0.2 %", 0.002, True),
        ("1.2(1.5)e3", 1500, True), ("1.2e3 ± 5", 5, True),
    ],
)  # fmt: skip
def test_a_stated_uncertainty_is_as_exact_as_its_last_digit(stated, uncertainty, holds):
    assert read_number(stated).uncertainty.rounds(uncertainty) is holds


# what was taken for 345, -0.5 or 12345; and what can be read in two ways
@pytest.mark.parametrize(
    "text",
    [
        "", "nan", "inf", "0.93x", "12'345", "0,345", "1,23", "1,2345", "12.345.6", "0.90-0.5", "0.90\u20130.5",
        "0e5", "0.0e3",
        "1e9999999", "1e-9999999", "1e401", "1" * 300, "1_000", "5\u00b2", "10^-3", "\uff11\uff12", "\uff11345",
        "12\u200b345",
        "1,234 567", "93.4% ± 0.2", "1.2 ± 0.1 x 10^-3", "1.2(1) ± 0.1", "±345", "v1.2", "3/345", "12:345", "<0.05",
        "< 0.05", "2 x 345", "0x345", "0.9 - 345", "0.90 -0.5", "12% 345", "1\u2009234 567", "--345", "1e5.5",
        "345\u200b", "345 Hz", "\u2460345", "12\u2007345", "2024\u00a0345", "1\\2", "#345", "12;345", "1e", "e5", "%",
    ],
)  # fmt: skip
def test_what_is_no_whole_number_is_refused(text):
    for read in (read_number, read_last_number):
        with pytest.raises(InputError, match="stands by itself"):
            read(text)
    with pytest.raises(InputError, match="stands by itself"):
        read_last_number(f"a value of {text}")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("of 0.5", "0.5"), ("of 0.5, 0.93", "0.93"), ("in 2024, 345", "345"), ("accuracy - 0.93", "0.93"),
        ("= 0.93", "0.93"),
        ("acc=0.93", "0.93"), ("about ~0.93", "0.93"), ("(0.93)", "(0.93)"), ("\u20ac12,345.60", "12,345.60"),
        ("a\n345", "345"),
        ("12\n345", "345"), ("x 345", "345"), ("is $0.93\\pm0.02$", "0.93±0.02"), ("is $93$ %", "93%"),
        ("[12] 345", "345"),
        ("is $12 345$", "12 345"), ("[-0.5", "-0.5"), ("12\u2009345", "12\u2009345"), ("a 1.2 x 10^-3 ", "1.2E-3"),
    ],
)  # fmt: skip
def test_a_running_text_ends_with_a_whole_number(text, written):
    assert read_last_number(text).written == written


@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_what_is_rounded_holds_and_the_next_digit_up_does_not(value, digits):
    assert read_number(f"{value:.{digits}f}").rounds(value)
    assert not read_number(f"{value + 1.01 * 10.0**-digits:.{digits}f}").rounds(value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("results.yaml", "results: []", "schema"),
        ("results.yaml", "schema: 1\nresults: {}", "list of `results`"),
        ("results.yaml", "schema: 1\nresults:\n - {value: 1, record: x, metric: m}", "result 1"),
        ("results.yaml", "schema: 1\nresults:\n - {value: one, record: " + "a" * 64 + ", metric: m}", "'one'"),
        ("results.yaml", "schema: 1\nresults:\n - {value: 1, record: " + "a" * 64 + "}", "metric"),
        ("results.yaml", "schema: 1\nresults:\n - {value: 1, value: 2}", "comes twice"),
        ("results.yaml", "schema: 1\nresults:\n - {value: [1], record: a, metric: m}", "text or a number"),
        ("a.md", "a text <!-- recorded: " + "a" * 64 + " m -->", "a.md:1"),
        ("a.md", "\n0.9<!-- recorded: m -->", "a.md:2"),
        ("a.md", "0.9<!-- recorded: 12 m -->", "record id"),
        ("a.md", "0.9<!-- recorded: " + "a" * 64 + " m", "end in"),
        ("a.tex", "\\recorded{0.9}{" + "a" * 64 + "}", "a.tex:1"),
        ("a.tex", "\\recorded{about 0.9}{" + "a" * 64 + "}{m}", "'about 0.9'"),
        ("a.txt", "", "a.txt"),
    ],
)
def test_what_is_marked_and_cannot_be_read_is_never_passed_over(tmp_path, name, text, told):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_claims(path)
    assert told in str(refused.value)


def test_files_that_are_not_there_or_no_text_are_refused(tmp_path):
    (tmp_path / "results.yaml").write_bytes(b"\xff")
    for name in ("results.yaml", "nothing.yaml"):
        with pytest.raises(InputError, match=name):
            read_claims(tmp_path / name)


def test_the_action_uses_no_other_and_takes_inputs_as_data():
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert "uses" not in step
        assert "${{" not in step["run"]
    assert not [name for name in action["inputs"] if "key" in name or "secret" in name or "rpc" in name]
    named = {text.split("inputs.")[1].split()[0] for step in action["runs"]["steps"] for text in step["env"].values()}
    assert named == set(action["inputs"])


def test_the_hook_calls_the_verb_on_files_that_state_results():
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "blockchaintracer check"
    for name, taken in (("results.yaml", 1), ("a/results.yml", 1), ("a/README.md", 1), ("x.tex", 1), ("other.yaml", 0)):
        assert bool(re.search(hook["files"], name)) == bool(taken)


def test_the_documented_example_reads(tmp_path):
    text = (Path(ROOT) / "docs" / "ci.md").read_text()
    [block] = [part.split("```")[0] for part in text.split("```yaml\n")[1:] if part.startswith("# results.yaml")]
    path = tmp_path / "results.yaml"
    path.write_text(block)
    assert [claim.value for claim in read_claims(path)] == ["0.934", "93.4%"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "We reach 0.93 <!-- recorded: {} accuracy -->."),
        ("a.tex", r"We reach \recorded{{0.93}}{{{}}}{{accuracy}}."),
        ("results.yaml", "schema: 1\nresults:\n- {{value: 0.93, record: {}, metric: accuracy}}\n"),
    ],
)
def test_a_mark_may_name_chain_and_registry(tmp_path: Path, name: str, text: str) -> None:
    whole = f"eip155:1:0x{'12' * 20}/0x{'ab' * 32}"
    for written in (whole, whole.replace("12" * 20, "ABaBaBaBABabABabAbAbABAbABabababaBaBABaB")):
        (tmp_path / name).write_text(text.format(written))
        [claim] = read_claims(tmp_path / name)
        assert claim.record == written.lower()
    (tmp_path / name).write_text(text.format(whole[:-1]))
    with pytest.raises(InputError, match="eip155:CHAIN:REGISTRY/ID"):
        read_claims(tmp_path / name)
