"""Comparing runs: really recorded ones, and figures held against published and independent results."""

from __future__ import annotations

import json
import math
import random
import struct
import xml.etree.ElementTree as ET
from typing import Any

import click
import matplotlib.font_manager  # noqa: F401 -- imported first, it asks for the machine's fonts by a process
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Artifact, Manifest, Metric, RunPredicate
from blockchaintracer.extras.compare.comparison import RunComparison, compare
from blockchaintracer.extras.compare.plot import draw
from blockchaintracer.extras.compare.runs import Compared, compared, flat
from blockchaintracer.extras.compare.statistics import holm
from blockchaintracer.extras.compare.verb_compare import _cells, _fields, _values

SLEEP_A = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_B = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
"""Hours of sleep gained by ten patients with two drugs: Student (1908), The probable error of a mean, Biometrika 6."""


def run(name: str, metrics: dict[str, float], seed: int | None = None, **params: Any) -> Compared:
    fields = flat(metrics, "metrics") | flat(params, "params")
    return Compared(name, name, fields | ({} if seed is None else {"seeds.random": seed}))


def sleep(paired: bool = True) -> list[Compared]:
    return [
        run(f"{drug}{patient}", {"hours": hours}, patient if paired else None, drug=drug)
        for drug, found in (("a", SLEEP_A), ("b", SLEEP_B))
        for patient, hours in enumerate(found)
    ]


def test_many_packages_hide_nothing_else(capsys: pytest.CaptureFixture[str]):
    packages = {f"environment.packages.p{number}": "1.0" for number in range(21)}
    runs = [Compared("a", "a", {"params.lr": 0.1} | packages), Compared("b", "b", {"params.lr": 0.2})]

    def printed(everything: bool) -> str:
        with click.Context(click.Command("compare")):
            _fields(compare(runs), everything)()
        return " ".join(capsys.readouterr().out.split())

    assert "22 fields with differences (21 of packages: --all), 0 equal in all" in printed(False)
    assert "params.lr" in printed(False)
    assert "packages.p7" not in printed(False)
    assert "packages.p7" in printed(True)


# statistics


def test_students_own_sleep_data_give_students_own_result():
    (test,) = compare(sleep()).statistics.tests
    assert (test.baseline, test.group, test.paired, test.n) == ("drug=a", "drug=b", True, 10)
    # R: t.test(extra ~ group, data = sleep, paired = TRUE): t = 4.0621, df = 9, p = 0.002833, 1.58, 0.7001 to 2.4599
    assert test.statistic == pytest.approx(4.0621, abs=5e-5)
    assert test.p_value == pytest.approx(0.002833, abs=5e-7)
    assert (test.difference, test.low, test.high) == pytest.approx((1.58, 0.7001142, 2.4598858), abs=5e-8)
    assert test.effect == pytest.approx(4.0621 / math.sqrt(10), abs=5e-5)
    assert test.effect_name == "Cohen's d_z"
    assert test.significant is True


def test_without_seeds_the_same_data_are_not_paired():
    (test,) = compare(sleep(paired=False)).statistics.tests
    assert (test.paired, test.n_baseline, test.n_group, test.method) == (False, 10, 10, "Welch's t-test")
    # R: t.test(extra ~ group, data = sleep): t = 1.8608, p = 0.07939, -0.2054832 to 3.3654832 (with the sign turned)
    assert (test.statistic, test.p_value) == pytest.approx((1.8608, 0.07939), abs=5e-5)
    assert (test.low, test.high) == pytest.approx((-0.2054832, 3.3654832), abs=5e-8)
    assert test.significant is False
    assert any("no seeds" in note for note in test.notes)
    # Hedges' g by its definition
    pooled = math.sqrt((np.var(SLEEP_A, ddof=1) + np.var(SLEEP_B, ddof=1)) / 2)
    assert test.effect == pytest.approx(1.58 / pooled * (1 - 3 / (4 * 18 - 1)))


def test_groups_have_mean_deviation_and_interval():
    first, second = compare(sleep()).statistics.summaries
    assert (first.group, first.n, first.mean) == ("drug=a", 10, pytest.approx(0.75))
    assert first.deviation == pytest.approx(np.std(SLEEP_A, ddof=1))
    assert (first.low, first.high) == pytest.approx(
        stats.t.interval(0.95, 9, loc=np.mean(SLEEP_A), scale=stats.sem(SLEEP_A))
    )
    assert (second.minimum, second.maximum, second.median) == (-0.1, 5.5, 1.75)


def test_ranks_are_tested_beside_means():
    shifts = [0.5, 0.9, 1.3, 2.1, 2.2, -0.4, 3.0]
    runs = [run(f"a{seed}", {"m": 10.0 + seed}, seed, x=0) for seed in range(7)]
    runs += [run(f"b{seed}", {"m": 10.0 + seed + shift}, seed, x=1) for seed, shift in enumerate(shifts)]
    (test,) = compare(runs).statistics.tests
    assert test.rank_method == "Wilcoxon signed-rank test"
    # one negative difference, the smallest: W = 1, and of 2^7 signs 2 have W <= 1, on either side
    assert test.rank_statistic == 1
    assert test.rank_p_value == pytest.approx(2 * 2 / 2**7)


def test_one_run_is_never_called_significant():
    found = compare([run("a", {"m": 0.1}, 1, x=1), run("b", {"m": 0.9}, 1, x=2)]).statistics
    assert [one.n for one in found.summaries] == [1, 1]
    assert all(one.deviation is None and one.low is None for one in found.summaries)
    assert found.tests == ()
    assert any("no deviation, interval or test" in sentence for sentence in found.assumptions)

    three = [run(f"a{seed}", {"m": 0.1 + seed / 1000}, seed, x=1) for seed in range(3)]
    found = compare([*three, run("b", {"m": 0.9}, 1, x=2)]).statistics
    assert [(one.p_value, one.significant) for one in found.tests] == [(None, None)]
    assert any("One run alone: x=2" in sentence for sentence in found.assumptions)


@pytest.mark.parametrize("paired", [True, False])
def test_rounding_is_no_precision(paired: bool):
    """0.3 more in every pair, but for the last bits: taken as deviation, p would be below 1e-40."""
    values = [0.1, 0.2, 0.7, 1.1]
    assert len({v + 0.3 - v for v in values}) > 1
    runs = [run(f"a{n}", {"m": v}, n, x=1) for n, v in enumerate(values)]
    runs += [run(f"b{n}", {"m": v + 0.3}, n, x=2) for n, v in enumerate(values)]
    if not paired:
        runs = [run(f"{x}{n}", {"m": v * 3 / 3}, None, x=x) for x in (1, 2) for n, v in enumerate([0.1 * x] * 4)]
    (test,) = compare(runs).statistics.tests
    assert (test.paired, test.p_value, test.significant) == (paired, None, None)
    assert any("deviation" in note for note in test.notes)
    assert test.difference == pytest.approx(0.3 if paired else 0.1)


def test_a_seed_that_occurs_twice_pairs_nothing():
    runs = [run(f"{x}{n}", {"m": n + x}, 7, x=x) for x in (1, 2) for n in range(3)]
    (test,) = compare(runs).statistics.tests
    assert not test.paired
    assert any("share a seed" in note for note in test.notes)


def test_runs_without_a_partner_are_left_out_and_counted():
    runs = [run(f"{x}{n}", {"m": n * n + x * n}, n + x, x=x) for x in (1, 2) for n in range(6)]
    (test,) = compare(runs).statistics.tests
    assert (test.paired, test.n) == (True, 5)
    assert "2 runs without a partner left out" in test.notes


def test_a_parameter_called_seed_parts_no_groups():
    runs = [
        run(f"{lr}{seed}", {"m": lr + seed}, None, lr=lr, model={"seed": seed})
        for lr in (0.1, 0.2)
        for seed in (1, 2, 3)
    ]
    found = compare(runs).statistics
    assert [(group.name, len(group.runs)) for group in found.groups] == [("lr=0.1", 3), ("lr=0.2", 3)]
    assert found.pairing == ("params.model.seed",)


def test_groups_by_a_field_and_pairs_by_another():
    runs = [
        run(f"{lr} {fold}", {"m": lr * fold + fold**2}, 0, lr=lr, fold=fold, batch=fold * 2)
        for lr in (0.1, 0.2)
        for fold in (1, 2, 3, 4)
    ]
    assert len(compare(runs).statistics.groups) == 8
    found = compare(runs, by=["params.lr"], pair_by="params.fold").statistics
    assert [group.values for group in found.groups] == [{"params.lr": 0.1}, {"params.lr": 0.2}]
    assert [(test.paired, test.n) for test in found.tests] == [(True, 4)]
    for wrong in ({"by": ["params.no"]}, {"pair_by": "params.no"}, {"metrics": ["no"]}, {"confidence": 1.0}):
        with pytest.raises(InputError):
            compare(runs, **wrong)


def test_p_values_are_adjusted_for_how_many_there_are():
    # the worked example of Holm (1979) as in R: p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm")
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.04, 0.001]) == pytest.approx([0.04, 0.002])
    assert holm([]) == []
    chance = random.Random(1)
    runs = [
        run(f"{x} {n}", {f"m{i}": chance.gauss(0, 1) for i in range(5)}, n, x=x) for x in range(4) for n in range(6)
    ]
    tests = compare(runs).statistics.tests
    assert len(tests) == 15
    assert [test.adjusted for test in tests] == pytest.approx(holm([test.p_value or 0 for test in tests]))
    assert not any(test.significant for test in tests)


def test_chance_alone_is_called_significant_no_oftener_than_it_should_be():
    chance = random.Random(20261125)
    found = 0
    for _ in range(200):
        runs = [run(f"{x} {n}", {"m": chance.gauss(0, 1)}, n, x=x) for x in (1, 2) for n in range(5)]
        found += bool(compare(runs).statistics.tests[0].significant)
    # 200 draws at 0.05: 10 expected; outside of this once in 10,000 such choices of a seed
    assert 1 <= found < 24


values = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), values, st.integers(0, 3) | st.none()), min_size=2, max_size=12))
def test_whatever_was_measured_every_figure_is_finite(measured: list[tuple[int, float, int | None]]):
    runs = [run(str(n), {"m": value}, seed, x=x) for n, (x, value, seed) in enumerate(measured)]
    found = compare(runs)
    json.dumps(found.as_json(), allow_nan=False)
    for test in found.statistics.tests:
        assert test.p_value is None or 0 <= test.p_value <= (test.adjusted or 0) <= 1
        assert test.significant is None or min(test.n_baseline, test.n_group) > 1


# differences


def test_what_no_figure_counts_is_named():
    """A run that diverged is no run fewer, and what lies below the normal numbers is not as exact as it looks."""
    runs = [run(str(n), {"loss": value, "tiny": 5e-324 * n, "c": 1.0}) for n, value in ((1, 0.5), (2, "NaN"), (3, 0.7))]
    found = compare(runs).statistics
    assert [each.n for each in found.summaries if each.metric == "loss"] == [2]
    assert "loss is NaN in 1 of 3 runs: no figure counts them." in found.assumptions
    [tiny] = [text for text in found.assumptions if "denormal" in text]
    assert tiny.startswith("tiny ")


def test_what_differs_is_told_apart_from_what_is_equal():
    a = run("a", {"m": 1}, 3, lr=0.1, flag=True, depth=2, only="here")
    b = run("b", {"m": 1.0}, 3, lr=0.2, flag=1, depth=2.0)
    found = compare([a, b])
    assert {field.name: field.values for field in found.differences} == {
        "params.flag": (True, 1),
        "params.lr": (0.1, 0.2),
        "params.only": ("here", None),
    }
    assert set(found.as_json()["equal"]) == {"metrics.m", "params.depth", "seeds.random"}
    with pytest.raises(InputError, match="two or more"):
        compare([a, a])


def cells(*values: Any) -> list[str]:
    found = compare([run(f"r{number}", {}, x=value) for number, value in enumerate(values)])
    return _cells(_values(found, next(field for field in found.fields if field.name == "params.x")))


def test_of_a_long_value_the_part_that_differs_is_shown():
    program = f"train.py --data {'/a/long/path' * 9} --lr {{}} --epochs 5 {'--more' * 20}"
    shown = cells(*(program.format(rate) for rate in (0.1, 0.25)))
    assert ["--lr 0.1 --epochs 5" in shown[0], "--lr 0.25 --epochs 5" in shown[1]] == [True, True]
    assert all(len(text) < 70 and text[0] == text[-1] == "…" for text in shown)
    assert cells(program, program)[0].startswith("train.py --data")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.12345678, 0.12345679, 0.12345678), ["0.12345678", "0.12345679", "0.12345678"]),
        ((1, True, "1", 1.0), ["1", "true", '"1"', "1"]),
        (("a\u200b", "a\u200c", "a  b", "a b"), ['"a\\u200b"', '"a\\u200c"', '"a  b"', '"a b"']),
    ],
)
def test_values_that_differ_in_little_look_different(values: tuple[Any, ...], shown: list[str]):
    assert cells(*values) == shown


@settings(max_examples=50)
@given(st.lists(st.text("ab", min_size=30, max_size=90) | st.floats(0, 1), min_size=2, max_size=5))
def test_no_two_values_that_differ_look_equal(values: list[str | float]):
    assert len({*cells(*values)}) == len({*values})


def artifact(path: str, byte: str) -> Artifact:
    return Artifact(path=path, size=1, sha256=byte * 32, cid="b" + "a" * 58, cid_profile="unixfs-v1-2025")


def test_a_manifest_is_compared_in_all_its_parts():
    predicate = RunPredicate(
        run_id="8c0ae2a5-0f0e-4bfb-9f63-0a9f0a2b7a11",
        name="one",
        status="completed",
        parameters={"model": {"depth": 3}, "layers": [8, 8], "stages": [{"k": 1}, {"k": 2}]},
        metrics={"top-1 (%)": Metric(value=75)},
        seeds={"numpy": 7},
        inputs=(
            {"record": "ab" * 32, "relation": 1, "path": "data.csv", "sha256": "cd" * 32},
            {"record": "ef" * 32, "relation": 3, "path": "a.csv", "sha256": "01" * 32},
            {"record": "ab" * 32, "relation": 3, "path": "data.csv", "sha256": "cd" * 32},
        ),
        outputs=({"role": "model", "artifact": artifact("model.pt", "ee")},),
        code={"commit": "a" * 40, "dirty": True, "diff": artifact("diff", "dd")},
        environment={"python": {"version": "3.12"}, "lock": artifact("uv.lock", "11")},
        hardware={"gpus": [{"name": "A100"}]},
        parents=[{"record": record * 32, "relation": number} for record, number in (("ab", 1), ("ab", 3), ("ef", 3))],
    )
    fields = compared("01" * 32, Manifest.of(3, predicate)).fields
    assert fields == {
        "params.model.depth": 3,
        "params.layers": "[8, 8]",
        "params.stages.0.k": 1,
        "params.stages.1.k": 2,
        "metrics.top-1 (%)": 75.0,
        "seeds.numpy": 7,
        "data.trained-on": "cd" * 32,
        "data.evaluated-on a.csv": "01" * 32,
        "data.evaluated-on data.csv": "cd" * 32,
        "outputs.model model.pt": "ee" * 32,
        "code.commit": "a" * 40,
        "code.dirty": True,
        "code.diff": "dd" * 32,
        "code.arguments": "[]",
        "environment.python.version": "3.12",
        "environment.lock": "11" * 32,
        "hardware.gpus.0.name": "A100",
        "about.status": "completed",
    }


# pictures


def comparison() -> RunComparison:
    hostile = "$\\frac{1}{0}$ <script> \x1b[31m"
    runs = [
        run(f"{x} {n}", {hostile: x + n / 3, "loss": n * x}, n, **{hostile: x}) for x in (1.5, 2.5) for n in range(4)
    ]
    return compare(runs)


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_a_picture_shows_the_groups_and_is_the_same_each_time(form: str):
    found = comparison()
    picture = draw(found, form)
    assert picture == draw(found, form)
    if form == "png":
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", picture[16:24])
        assert width > height > 200
    elif form == "svg":
        texts = {
            "".join(element.itertext()) for element in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
        }
        assert any(text.endswith("=1.5") for text in texts)
        assert any("n=4" in text for text in texts)
        # as its author wrote it: neither run as mathematics nor as markup
        assert any("<script>" in text and text.count("$") == 2 for text in texts)
        assert "loss" in texts
        assert b"\x1b" not in picture
    else:
        assert picture[:5] == b"%PDF-"


def test_a_picture_has_its_groups_by_number_and_says_how_many_runs_it_draws():
    runs = [run(f"{lr} {n}", {"accuracy": 0.9 + n / 10}, n, lr=lr) for lr in (10, 9, 1e-3, "auto") for n in range(2)]
    runs.append(run("without", {"other": 1.0}, 5, lr=9))
    picture = ET.fromstring(draw(compare(runs), "svg", ["accuracy"]))
    texts = ["".join(one.itertext()) for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    shown = [text for text in texts if text.startswith(("lr=", "n="))]
    assert shown == ["lr=0.001", "n=2", "lr=9", "n=2", "lr=10", "n=2", "lr=auto", "n=2"]


def test_an_interval_ends_where_its_metric_does():
    (part,) = compare([run(f"{n}", {"roc_auc": value}, n) for n, value in enumerate((0.9, 1.0))]).statistics.summaries
    assert part.high == 1.0
    assert part.low < 0.9
    (error,) = compare([run(f"{n}", {"rmse": value}, n) for n, value in enumerate((0.1, 0.9))]).statistics.summaries
    assert error.low == 0.0
    assert error.high > 1
    (gain,) = compare([run(f"{n}", {"gain": value}, n) for n, value in enumerate((0.1, 0.9))]).statistics.summaries
    assert gain.low < 0


def test_a_picture_needs_a_metric_and_a_known_form():
    without = compare([run("a", {}, x=1), run("b", {}, x=2)])
    with pytest.raises(InputError, match="metric to draw"):
        draw(without, "png")
    with pytest.raises(InputError, match="png, svg, pdf"):
        draw(comparison(), "exe")
