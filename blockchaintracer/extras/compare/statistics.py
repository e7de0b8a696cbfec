"""Statistics over repeated runs: groups, means and their intervals, and tests of one group against another.

A figure that the data can't give is None, with the reason beside it: one run has no deviation, and nothing is called
significant because of it. Sources: Student's t and Welch's test, Wilcoxon's signed ranks and the Mann-Whitney test by
scipy; Holm (1979) for several tests at once; effect sizes after Lakens (2013), doi:10.3389/fpsyg.2013.00863.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from statistics import fmean, median, stdev
from sys import float_info
from typing import Any

from blockchaintracer.core.plain_json import NOT_FINITE
from blockchaintracer.core.record import counted
from blockchaintracer.extras.compare.runs import Compared, Scalar

FEW = 5
"""Below this many runs in a group, or pairs, the tests have next to no power, and normality can't be judged."""
_PART_OF_ONE = re.compile(
    r"(?<![a-z])(acc(uracy)?|precision|recall|f1|auc|auroc|iou|dice|(sensi|specifici)t[a-z]+)(?![a-z])"
)
_AT_LEAST_NONE = re.compile(r"(?<![a-z])(mae|r?mse|mape|error)(?![a-z])")


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs that count as repetitions of one thing.

    Args:
        name: what its runs share and others don't.
        values: the fields that make the group, and their values.
    """

    name: str
    values: dict[str, Scalar]
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A metric over one group.

    Args:
        n: runs that have the metric.
        mean, median, minimum, maximum: of its values.
        deviation: the sample's standard deviation (n - 1); None for one run.
        low, high: the confidence interval of the mean by Student's t, inside the metric's range as far as its name says
            that; None for one run.
    """

    group: str
    metric: str
    n: int
    mean: float | None
    deviation: float | None
    low: float | None
    high: float | None
    median: float | None
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Test:
    """A metric of one group against the first group's.

    Args:
        baseline, group: names; every difference is group minus baseline.
        paired: whether runs were paired, by seeds as a rule.
        n: pairs, or the runs of both groups together.
        n_baseline, n_group: runs of each that were used.
        difference: of the means.
        low, high: its confidence interval.
        method: the test of the mean; `p_value` is its, `adjusted` after Holm over all such tests of the comparison.
        rank_method: the test by ranks; `rank_p_value` and `rank_adjusted` likewise.
        effect, effect_name: size of the difference in standard deviations.
        significant: whether the *adjusted* p-value of the mean is below the level; None where there was no test.
        notes: what keeps the figures from saying more.
    """

    __test__ = False  # pytest: this is no test of ours

    metric: str
    baseline: str
    group: str
    paired: bool
    n: int
    n_baseline: int
    n_group: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    method: str | None = None
    statistic: float | None = None
    p_value: float | None = None
    adjusted: float | None = None
    rank_method: str | None = None
    rank_statistic: float | None = None
    rank_p_value: float | None = None
    rank_adjusted: float | None = None
    effect: float | None = None
    effect_name: str | None = None
    significant: bool | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statistics:
    """What repeated runs say.

    Args:
        groups: in the order of their first runs; the first is what the others are tested against.
        by, pairing: the fields that made the groups, and those that pair runs.
        assumptions: what has to hold for all this to mean anything.
    """

    groups: tuple[RunGroup, ...]
    by: tuple[str, ...]
    pairing: tuple[str, ...]
    confidence: float
    summaries: tuple[Summary, ...]
    tests: tuple[Test, ...]
    assumptions: tuple[str, ...]


def statistics(
    runs: Sequence[Compared], by: Sequence[str], pairing: Sequence[str], metrics: Sequence[str], confidence: float
) -> Statistics:
    """Groups runs and compares the groups; see `compare`."""
    groups = _grouped(runs, by)
    by_id = {run.id: run for run in runs}
    members = {group.name: [by_id[run] for run in group.runs] for group in groups}
    repeated = any(len(group.runs) > 1 for group in groups)
    has_scipy = find_spec("scipy") is not None
    summaries = [
        summarized(group.name, metric, values, confidence if has_scipy else None)
        for metric in metrics
        for group in groups
        if (values := [run.metrics[metric] for run in members[group.name] if metric in run.metrics])
    ]
    tests = [
        _tested(metric, groups[0].name, members[groups[0].name], group.name, members[group.name], pairing, confidence)
        for metric in metrics
        for group in (groups[1:] if repeated and has_scipy else ())
        if any(metric in run.metrics for run in members[group.name])
        and any(metric in run.metrics for run in members[groups[0].name])
    ]
    tests = _adjusted(tests, confidence)
    return Statistics(
        groups=tuple(groups),
        by=tuple(by),
        pairing=tuple(pairing),
        confidence=confidence,
        summaries=tuple(summaries),
        tests=tuple(tests),
        assumptions=(
            "Metrics and seeds are what the runs' authors recorded; a comparison does not check them.",
            *(
                f"{metric} is declared by a person in {counted(count, 'run')}: no program told it."
                for metric in metrics
                if (count := sum(f"metrics.{metric}" in run.declared for run in runs))
            ),
            *_odd_numbers(runs, metrics),
            *_assumptions(groups, tests, confidence, repeated, has_scipy),
        ),
    )


def _odd_numbers(runs: Sequence[Compared], metrics: Sequence[str]) -> Iterable[str]:
    """Name the metrics that some runs have no number of, and those whose numbers have few digits."""
    for metric in metrics:
        values = [run.fields[name] for run in runs if not run.failed and (name := f"metrics.{metric}") in run.fields]
        if odd := [str(value) for value in values if value in NOT_FINITE.values()]:
            which = " and ".join(sorted({*odd}))
            yield f"{metric} is {which} in {len(odd)} of {len(values)} runs: no figure counts them."
        if any(isinstance(value, float) and 0 < abs(value) < float_info.min for value in values):
            yield f"{metric} has numbers below {float_info.min:.3g} (denormal), of few digits: so are its figures."


def summarized(group: str, metric: str, values: Sequence[float], confidence: float | None) -> Summary:
    """A metric over one group; without `confidence` there is no interval."""
    n, mean = len(values), _finite(fmean, values)
    deviation = _finite(stdev, values) if n > 1 else None
    low = high = None
    if confidence is not None and mean is not None and deviation is not None:
        from scipy.stats import t

        half = float(t.ppf((1 + confidence) / 2, n - 1)) * deviation / math.sqrt(n)
        least, most = _range(metric, values)
        low, high = _number(max(mean - half, least)), _number(min(mean + half, most))
    return Summary(group, metric, n, mean, deviation, low, high, _finite(median, values), min(values), max(values))


def _range(metric: str, values: Sequence[float]) -> tuple[float, float]:
    """The least and the largest value that a metric can have, by its name, unless its own values say otherwise."""
    if _PART_OF_ONE.search(metric.lower()) and min(values) >= 0 and max(values) <= 1:
        return 0.0, 1.0
    return (0.0 if _AT_LEAST_NONE.search(metric.lower()) and min(values) >= 0 else -math.inf), math.inf


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values adjusted so that the chance of any false rejection among all stays at the level (Holm 1979).

    >>> [p and round(p, 10) for p in holm([0.01, None, 0.04, 0.03])]
    [0.03, None, 0.06, 0.06]
    """
    adjusted: list[float | None] = [None] * len(p_values)
    ascending = sorted((value, place) for place, value in enumerate(p_values) if value is not None)
    highest = 0.0
    for rank, (value, place) in enumerate(ascending):
        highest = max(highest, min(1.0, (len(ascending) - rank) * value))
        adjusted[place] = highest
    return adjusted


def _grouped(runs: Sequence[Compared], by: Sequence[str]) -> list[RunGroup]:
    by_values: dict[str, list[Compared]] = {}
    for run in runs:
        by_values.setdefault(_identity(run, by), []).append(run)
    values = [{name: members[0].fields.get(name) for name in by} for members in by_values.values()]
    telling = [name for name in by if len({json.dumps(each[name]) for each in values}) > 1]
    names: list[str] = []
    for each in values:
        shown = ", ".join(f"{name.partition('.')[2] or name}={_shown(each[name])}" for name in telling) or "all runs"
        # cut names may be equal where what was cut off differs
        shown = shown if len(shown) <= 60 else shown[:59] + "…"
        names.append(shown if shown not in names else f"{shown} ({len(names) + 1})")
    return [
        RunGroup(name, each, tuple(run.id for run in members))
        for name, each, members in zip(names, values, by_values.values(), strict=True)
    ]


def _shown(value: Scalar) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _identity(run: Compared, names: Sequence[str]) -> str:
    """The same text for the same values: 1 and 1.0 are one, 1 and true are not."""
    return json.dumps(
        [
            float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else value
            for value in (run.fields.get(name) for name in names)
        ]
    )


# -- one group against another


def _tested(
    metric: str,
    baseline: str,
    first: Sequence[Compared],
    group: str,
    second: Sequence[Compared],
    pairing: Sequence[str],
    confidence: float,
) -> Test:
    a = [run for run in first if metric in run.metrics]
    b = [run for run in second if metric in run.metrics]
    pairs, why_not = _pairs(a, b, pairing)
    if pairs:
        left_out = len(a) + len(b) - 2 * len(pairs)
        notes = (f"{counted(left_out, 'run')} without a partner left out",) if left_out else ()
        blank = Test(metric, baseline, group, True, len(pairs), len(pairs), len(pairs), notes=notes)
        return _paired(blank, [(x.metrics[metric], y.metrics[metric]) for x, y in pairs], confidence)
    blank = Test(metric, baseline, group, False, len(a) + len(b), len(a), len(b), notes=(why_not,))
    return _unpaired(blank, [run.metrics[metric] for run in a], [run.metrics[metric] for run in b], confidence)


def _pairs(
    a: Sequence[Compared], b: Sequence[Compared], pairing: Sequence[str]
) -> tuple[list[tuple[Compared, Compared]], str]:
    """Runs of two groups with the same seeds; or none, and why."""
    if not pairing:
        return [], "unpaired: no seeds are recorded"
    if any(all(run.fields.get(name) is None for name in pairing) for run in (*a, *b)):
        return [], "unpaired: not every run has its seeds recorded"
    first = {_identity(run, pairing): run for run in a}
    second = {_identity(run, pairing): run for run in b}
    if len(first) < len(a) or len(second) < len(b):
        return [], "unpaired: runs of one group share a seed, and may be no independent repetitions"
    pairs = [(run, second[seed]) for seed, run in first.items() if seed in second]
    if len(pairs) < 2:
        return [], f"unpaired: {counted(len(pairs), 'seed')} in both groups"
    return pairs, ""


def _paired(test: Test, pairs: Sequence[tuple[float, float]], confidence: float) -> Test:
    differences = [b - a for a, b in pairs]
    if not all(map(math.isfinite, differences)):
        return _noted(test, "the numbers are too large for a test")
    mean, deviation = _finite(fmean, differences), _finite(stdev, differences)
    test = replace(test, difference=mean)
    if mean is None or deviation is None:
        return _noted(test, "the numbers are too large for a test")
    if _is_none(deviation, [value for pair in pairs for value in pair]):
        which = "the same in every pair" if any(a != b for a, b in pairs) else "none in any pair"
        return _noted(test, f"the difference is {which}: there is no deviation to test it by")
    from scipy import stats

    with _quietly():
        by_mean = stats.ttest_rel([b for _, b in pairs], [a for a, _ in pairs])
        by_rank = stats.wilcoxon(differences)
    test = _tested_by(test, ("paired t-test", by_mean), ("Wilcoxon signed-rank test", by_rank), confidence)
    test = replace(test, effect=_number(mean / deviation), effect_name="Cohen's d_z")
    if len(pairs) < FEW:
        test = _noted(test, _few(len(pairs), "pairs"))
    return _noted(test, f"{len(pairs)} pairs: no test by ranks can give a p below {2 / 2 ** len(pairs):.3g}")


def _unpaired(test: Test, a: Sequence[float], b: Sequence[float], confidence: float) -> Test:
    means = _finite(fmean, a), _finite(fmean, b)
    if means[0] is not None and means[1] is not None:
        test = replace(test, difference=_number(means[1] - means[0]))
    if min(len(a), len(b)) < 2:
        return _noted(test, "a group of one run can't be tested: nothing says how much chance moves it")
    spread = _finite(stdev, a), _finite(stdev, b)
    difference = test.difference
    if difference is None or spread[0] is None or spread[1] is None:
        return _noted(test, "the numbers are too large for a test")
    if _is_none(max(spread[0], spread[1]), [*a, *b]):
        return _noted(test, "neither group has any deviation: there is nothing to test by")
    from scipy import stats

    with _quietly():
        by_mean = stats.ttest_ind(b, a, equal_var=False)
        by_rank = stats.mannwhitneyu(b, a, alternative="two-sided")
    free = len(a) + len(b) - 2
    pooled = math.hypot(math.sqrt(len(a) - 1) * spread[0], math.sqrt(len(b) - 1) * spread[1]) / math.sqrt(free)
    test = _tested_by(test, ("Welch's t-test", by_mean), ("Mann-Whitney U test", by_rank), confidence)
    # Hedges' correction of Cohen's d for few runs
    effect = _number(difference / pooled * (1 - 3 / (4 * free - 1))) if pooled else None
    test = replace(test, effect=effect, effect_name="Hedges' g")
    smaller = min(len(a), len(b))
    return _noted(test, _few(smaller, "runs in a group")) if smaller < FEW else test


def _tested_by(test: Test, of_mean: tuple[str, Any], of_ranks: tuple[str, Any], confidence: float) -> Test:
    """Add the results of two tests of scipy, each with its name."""
    (method, by_mean), (rank_method, by_rank) = of_mean, of_ranks
    with _quietly():
        interval = by_mean.confidence_interval(confidence)
    return replace(
        test,
        low=_number(interval.low),
        high=_number(interval.high),
        method=method,
        statistic=_number(by_mean.statistic),
        p_value=_number(by_mean.pvalue),
        rank_method=rank_method,
        rank_statistic=_number(by_rank.statistic),
        rank_p_value=_number(by_rank.pvalue),
    )


def _adjusted(tests: Sequence[Test], confidence: float) -> list[Test]:
    """The tests with their p-values adjusted for how many were made of their sort."""
    of_mean = holm([test.p_value for test in tests])
    of_rank = holm([test.rank_p_value for test in tests])
    return [
        replace(
            test,
            adjusted=mean,
            rank_adjusted=rank,
            significant=test.significant if mean is None else mean < 1 - confidence,
        )
        for test, mean, rank in zip(tests, of_mean, of_rank, strict=True)
    ]


def _assumptions(
    groups: Sequence[RunGroup], tests: Sequence[Test], confidence: float, repeated: bool, has_scipy: bool
) -> Iterable[str]:
    if not repeated:
        yield (
            "No two completed runs have the same parameters (or values of --by), so there is no deviation, interval or"
            " test, and no difference here can be told from chance."
        )
        return
    if not has_scipy:
        yield "Intervals and tests need scipy: pip install blockchaintracer[compare]"
        return
    if single := [group.name for group in groups if len(group.runs) == 1]:
        yield f"One run alone: {'; '.join(single)}. It has no deviation, and nothing can be tested against it."
    yield (
        f"Intervals ({confidence:.0%}) and t-tests take runs as independent and their metric, or the difference of a"
        " pair, as about normal; tests by ranks do without the latter. Runs chosen by their results are no sample."
    )
    if made := [test for test in tests if test.p_value is not None]:
        yield (
            f"{len(made)} {'tests were' if len(made) > 1 else 'test was'} made of each sort; p-values are adjusted for"
            f" that after Holm, and called significant below {1 - confidence:.3g}."
        )


def _is_none(deviation: float, values: Iterable[float]) -> bool:
    """Whether a deviation is no more than the rounding of the values: a test would take that for precision."""
    return deviation <= 8 * math.ulp(max(map(abs, values)))


def _few(count: int, what: str) -> str:
    return f"only {count} {what}: whether the metric is about normal can't be judged"


def _noted(test: Test, note: str) -> Test:
    return replace(test, notes=(*(earlier for earlier in test.notes if earlier), note))


def _finite(function: Callable[[Sequence[float]], float], values: Sequence[float]) -> float | None:
    try:
        return _number(function(values))
    except (OverflowError, ValueError):
        return None


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


@contextmanager
def _quietly() -> Iterator[None]:
    """Without scipy's warnings: what they tell of (few pairs, ties, hardly any deviation) the notes say."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
