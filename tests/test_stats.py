"""gatekeeper.stats: each function keeps the definition that it names."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import stats

finite = st.floats(allow_nan=False, allow_infinity=False)
moderate = st.floats(-1e6, 1e6)
percents = st.floats(0, 100)
samples = st.lists(finite, min_size=1, max_size=50)


@given(st.lists(moderate, min_size=2, max_size=40), st.integers(1, 99))
def test_a_percentile_is_type_7_of_hyndman_and_fan(values: list[float], q: int) -> None:
    expected = statistics.quantiles(values, n=100, method="inclusive")[q - 1]
    assert stats.percentile(values, q) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(samples, percents)
def test_a_percentile_lies_between_the_extremes_and_ignores_order(values: list[float], q: float) -> None:
    found = stats.percentile(values, q)
    assert min(values) <= found <= max(values)
    assert stats.percentile(values[::-1], q) == found


@given(samples, percents, percents)
def test_a_higher_percentile_is_never_lower(values: list[float], p: float, q: float) -> None:
    low, high = sorted((p, q))
    assert stats.percentile(values, low) <= stats.percentile(values, high)


@given(samples)
def test_the_ends_are_minimum_and_maximum(values: list[float]) -> None:
    assert (stats.percentile(values, 0), stats.percentile(values, 100)) == (min(values), max(values))


def test_what_is_no_percentile_is_refused() -> None:
    for values, q in (([], 50), ([1.0], -1), ([1.0], 101), ([1.0, math.nan], 50), ([1.0], math.nan)):
        with pytest.raises(ValueError, match=r"percentile|NaN"):
            stats.percentile(values, q)


@pytest.mark.parametrize(("q", "n"), [(50, 2), (75, 4), (90, 10), (95, 20), (99, 100), (99.9, 1000), (5, 20)])
def test_a_percentile_needs_one_sample_beyond_it(q: float, n: int) -> None:
    assert stats.enough_for(q) == n


@given(st.floats(0.1, 99.9))
def test_enough_is_the_least_that_is_enough(q: float) -> None:
    n, beyond = stats.enough_for(q), min(q, 100 - q) / 100
    assert n * beyond >= 1 - 1e-9
    assert (n - 1) * beyond < 1 + 1e-9


@pytest.mark.parametrize("q", [0, 100])
def test_minimum_and_maximum_are_no_percentiles(q: float) -> None:
    with pytest.raises(ValueError, match="min and max"):
        stats.enough_for(q)


# -- histograms ------------------------------------------------------------------------------------------

INF = math.inf
HISTOGRAM = [(0.1, 2.0), (0.2, 6.0), (0.5, 8.0), (INF, 10.0)]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (10, 0.05),  # half of the first bucket, which starts at 0
        (20, 0.1),
        (40, 0.15),  # half of the second
        (80, 0.5),
        (90, 0.5),  # in the +Inf bucket: the highest finite bound
        (100, 0.5),
    ],
)
def test_a_histogram_is_interpolated_as_prometheus_does(q: float, expected: float) -> None:
    assert stats.histogram_percentile(HISTOGRAM, q) == pytest.approx(expected)
    assert stats.overflows(HISTOGRAM, q) == (q > 80)


def test_a_lowest_bucket_with_a_negative_bound_answers_with_its_bound() -> None:
    assert stats.histogram_percentile([(-1.0, 5.0), (1.0, 10.0), (INF, 10.0)], 10) == -1


def test_empty_buckets_before_the_first_observation_are_passed_over() -> None:
    assert stats.histogram_percentile([(1.0, 0.0), (2.0, 4.0), (INF, 4.0)], 0) == 1


@pytest.mark.parametrize(
    ("buckets", "message"),
    [
        ([], "at least two"),
        ([(INF, 3.0)], "at least two"),
        ([(1.0, 2.0), (2.0, 3.0)], r"\+Inf"),
        ([(2.0, 1.0), (1.0, 2.0), (INF, 3.0)], "must rise"),
        ([(1.0, 3.0), (2.0, 2.0), (INF, 3.0)], "cumulative"),
        ([(1.0, math.nan), (INF, 3.0)], "cumulative"),
        ([(1.0, 0.0), (INF, 0.0)], "no observations"),
    ],
)
def test_a_broken_histogram_has_no_percentile(buckets: list[tuple[float, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stats.histogram_percentile(buckets, 50)


@given(st.lists(st.integers(0, 20), min_size=2, max_size=8).filter(any), percents, percents)
def test_histogram_percentiles_rise_and_stay_inside_the_bounds(counts: list[int], p: float, q: float) -> None:
    total, buckets = 0.0, []
    for index, count in enumerate(counts):
        total += count
        buckets.append((INF if index == len(counts) - 1 else float(index + 1), total))
    low, high = (stats.histogram_percentile(buckets, each) for each in sorted((p, q)))
    assert 0 <= low <= high <= buckets[-2][0]


# -- proportions -----------------------------------------------------------------------------------------

counted = st.integers(1, 10_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(counted)
def test_the_wilson_interval_holds_the_proportion(count: tuple[int, int]) -> None:
    hits, total = count
    low, high = stats.wilson(hits, total)
    assert 0 <= low <= hits / total <= high <= 1
    assert high - low > 0


@given(counted)
def test_the_wilson_interval_is_symmetric_in_what_is_counted(count: tuple[int, int]) -> None:
    hits, total = count
    low, high = stats.wilson(hits, total)
    other_low, other_high = stats.wilson(total - hits, total)
    assert (low, high) == pytest.approx((1 - other_high, 1 - other_low), abs=1e-12)


@given(counted)
def test_the_ends_of_the_interval_solve_wilsons_equation(count: tuple[int, int]) -> None:
    """|p̂ − p| = z·√(p(1 − p)/n): where the score test just doesn't refuse p."""
    hits, total = count
    for end in stats.wilson(hits, total):
        if 0 < end < 1:
            distance = 1.959963984540054 * math.sqrt(end * (1 - end) / total)
            assert abs(hits / total - end) == pytest.approx(distance, abs=1e-9)


def test_published_values_of_the_interval() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29."""
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (hits, total), expected in published.items():
        assert stats.wilson(hits, total) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("hits", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_an_impossible_count_has_no_interval(hits: int, total: int) -> None:
    with pytest.raises(ValueError, match="proportion"):
        stats.wilson(hits, total)


@pytest.mark.parametrize(("limit", "n"), [(0.05, 20), (0.01, 100), (0.001, 1000), (0.3, 4), (0, 1), (1, 1)])
def test_a_limit_needs_so_many_events_that_one_error_is_within_it(limit: float, n: int) -> None:
    assert stats.enough_to_resolve(limit) == n


# -- centre and spread -----------------------------------------------------------------------------------


@given(st.lists(moderate, min_size=2, max_size=30))
def test_mean_median_and_deviation_are_those_of_the_standard_library(values: list[float]) -> None:
    assert stats.mean(values) == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert stats.median(values) == pytest.approx(statistics.median(values), abs=1e-9)
    assert stats.stdev(values) == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-6)


def test_a_mean_survives_a_sum_beyond_floats() -> None:
    assert stats.mean([1.7e308, 1.7e308]) == pytest.approx(1.7e308)


@pytest.mark.parametrize("function", [stats.mean, stats.median, stats.stdev])
def test_nothing_has_no_centre(function: object) -> None:
    with pytest.raises(ValueError, match=r"no values|two values"):
        function([])  # type: ignore[operator]
