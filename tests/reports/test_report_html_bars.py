"""Bullet bars: whatever the numbers are, the drawing says what is true."""

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import Finding
from gatekeeper_reports.html.bars import ENOUGH, Bar, Baseline, bar, baseline, room_left, spark

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
UPPER = ("<=", "<")


def measured(
    value: object, operator: str = "<=", warn: float | None = None, fail: float | None = None, **of: str
) -> Finding:
    limits = {name: limit for name, limit in (("warn", warn), ("fail", fail)) if limit is not None}
    unit = of.get("unit")
    return Finding(
        "p95", "pass", value, operator, fail if warn is None else warn, unit, evidence={"limits": limits}
    )


def drawn(*given: object, **named: object) -> Bar:
    found = bar(measured(*given, **named))  # type: ignore[arg-type]
    assert found is not None
    return found


@given(
    NUMBERS, st.sampled_from(["<=", "<", ">=", ">"]), st.tuples(NUMBERS, NUMBERS).map(sorted),
    st.one_of(st.none(), st.tuples(NUMBERS, NUMBERS).map(sorted)),
)  # fmt: skip
def test_a_value_lies_in_the_zone_that_its_limits_put_it_in(
    value: float, operator: str, limits: list[float], band: list[float] | None
) -> None:
    warn, fail = limits if operator in UPPER else reversed(limits)
    earlier = Baseline(30, (band[0], band[1])) if band else Baseline()
    found = bar(measured(value, operator, warn, fail), earlier)
    if found is None:
        assert not isfinite(max(abs(number) for number in (value, warn, fail, *(band or ()))) * 8)
        return
    assert sum(zone.width for zone in found.zones) == pytest.approx(100, abs=0.05)
    everything = [
        *(at for _, at in found.marks),
        *(found.band or ()),
        *([] if found.value is None else [found.value]),
    ]
    assert all(0 <= at <= 100 for at in everything)
    places = dict(found.marks)
    if found.value is not None:
        for kind, limit in (("warn", warn), ("fail", fail)):
            within = value <= limit if operator in UPPER else value >= limit
            seen_within = found.value <= places[kind] if operator in UPPER else found.value >= places[kind]
            assert seen_within or not within, "within a limit, yet drawn beyond it"
            assert not seen_within or within or found.value == pytest.approx(places[kind], abs=0.01)


def test_what_is_at_most_is_good_on_the_left_and_what_is_at_least_on_the_right() -> None:
    upper = drawn(1.0, "<=", 2.0, 4.0)
    assert [(zone.kind, zone.at, zone.width) for zone in upper.zones] == [
        ("pass", 0, 40), ("warn", 40, 40), ("fail", 80, 20),
    ]  # fmt: skip
    lower = drawn(5.0, ">=", 4.0, 2.0)
    assert [zone.kind for zone in sorted(lower.zones, key=lambda zone: zone.at)] == ["fail", "warn", "pass"]
    assert lower.marks == (("warn", lower.marks[0][1]), ("fail", lower.marks[1][1]))


def test_one_limit_is_the_fail_limit_and_there_is_no_zone_of_warnings() -> None:
    assert [zone.kind for zone in drawn(1.0, "<=", None, 2.0).zones] == ["pass", "fail"]
    assert [zone.kind for zone in drawn(1.0, "<=", 2.0).zones] == ["pass", "warn"]


def test_a_share_is_drawn_on_a_scale_of_100_percent_where_its_limits_are_not_tiny() -> None:
    disk = drawn(0.83, "<=", 0.8, 0.9, unit="ratio")
    assert (disk.low, disk.high, disk.value) == ("0 %", "100 %", 83.0)
    errors = drawn(0.004, "<=", 0.005, 0.01, unit="ratio")
    assert (errors.low, errors.high) == ("0 %", "1.25 %")


def test_a_value_far_beyond_its_limits_is_an_arrow_and_leaves_the_limits_to_be_seen() -> None:
    far = drawn(1e6, "<=", 1.0, 2.0)
    assert far.beyond == "high"
    assert dict(far.marks)["fail"] == pytest.approx(25)
    assert drawn(-1e6, ">=", 2.0, 1.0).beyond == "low"
    assert drawn(1.9, "<=", 1.0, 2.0).beyond == ""


@pytest.mark.parametrize("value", ["NaN", "Infinity", "fast", None, True])
def test_what_is_no_number_has_limits_and_no_tick(value: object) -> None:
    found = drawn(value, "<=", 1.0, 2.0)
    assert found.value is None
    assert found.beyond == ""
    assert len(found.marks) == 2


@pytest.mark.parametrize(
    "finding",
    [
        Finding("f", "pass", 200, "==", 200),
        Finding("f", "pass", 3, "in", [1, 2, 3]),
        Finding("f", "pass", 3),
        Finding("f", "pass", 3, "<=", "v4"),
        Finding("f", "pass", 3, "<=", "NaN"),
        Finding("f", "pass", 3, "<=", "Infinity"),
        Finding("f", "pass", 3, "<=", 5, evidence={"limits": {"warn": "NaN", "fail": None}}),
    ],
)
def test_what_has_no_limit_on_a_scale_has_no_bar(finding: Finding) -> None:
    assert bar(finding) is None


def test_a_baseline_takes_as_many_values_as_its_percentiles_do() -> None:
    few = baseline([1.0] * (ENOUGH - 1))
    assert few.band is None
    assert few.text("s") == "19 of 20 values for a baseline"
    enough = baseline([float(number) for number in range(21)])
    assert enough.band == (1.0, 19.0)
    assert enough.text("s") == "1 s to 19 s (n\u00a0=\u00a021)"
    assert baseline([]).text("s") == "no earlier value"


def test_the_label_says_what_the_drawing_shows() -> None:
    found = bar(measured(2.31, "<=", 0.5, 2.0, unit="s"), baseline([0.2] * 30))
    assert found is not None
    assert found.label == "p95 2.31 s; warn 500 ms; fail 2 s; p5 to p95 200 ms (n\u00a0=\u00a030)"


def test_what_is_nearest_to_its_limit_has_least_room_left() -> None:
    near, far, beyond = (measured(value, "<=", None, 10.0) for value in (9.0, 1.0, 12.0))
    low = measured(11.0, ">=", None, 10.0)
    assert room_left(beyond) < 0 < room_left(near) < room_left(far)
    assert room_left(near) == pytest.approx(room_left(low))


@given(st.lists(NUMBERS, max_size=31))
def test_a_line_has_a_point_for_each_value_within_its_box(values: list[float]) -> None:
    points = spark(values)
    if len(values) < 2 or not isfinite(max(values) - min(values)):
        assert points == []
        return
    assert len(points) == len(values)
    assert all(3 <= x <= 97 and 3 <= y <= 21 for x, y in points)
    if max(values) > min(values):
        assert min(points, key=lambda point: point[1])[1] == points[values.index(max(values))][1]
