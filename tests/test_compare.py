"""What counts as a difference between two runs."""

from msgspec import structs

from gatekeeper.compare import GateChange, ValueChange, compare
from gatekeeper.model import Finding
from runs import result, run


def _with(gate, *findings):
    return structs.replace(result(gate), findings=findings)


def test_a_run_does_not_differ_from_itself():
    assert compare(run(1), run(1)).empty


def test_the_same_results_are_no_difference():
    assert compare(run(1, result("pre.a", x=1)), run(2, result("pre.a", x=1))).empty


def test_another_verdict_alone_is_a_difference():
    changed = structs.replace(run(2), verdict=structs.replace(run(2).verdict, decision="hold"))
    assert not compare(run(1), changed).empty


def test_gates_that_came_and_went_are_named():
    found = compare(run(1, result("pre.a"), result("pre.b")), run(2, result("pre.b"), result("pre.c")))
    assert [(g.gate, g.before, g.after) for g in found.gates] == [
        ("pre.c", None, "pass"),
        ("pre.a", "pass", None),
    ]


def test_the_reason_is_the_later_one():
    found = compare(run(1, result("pre.a", "fail")), run(2, result("pre.a", "error")))
    assert found.gates == (GateChange("pre.a", "fail", "error", "pre.a did not pass"),)


def test_findings_of_one_name_are_compared_in_their_order():
    old = _with("pre.a", Finding("m", "pass", 1), Finding("m", "pass", 2))
    new = _with("pre.a", Finding("m", "pass", 1), Finding("m", "pass", 3))
    assert [(v.before, v.after) for v in compare(run(1, old), run(2, new)).values] == [(2, 3)]


def test_values_that_are_no_numbers_have_no_change():
    old, new = _with("pre.a", Finding("m", "pass", "v1")), _with("pre.a", Finding("m", "pass", "v2"))
    assert compare(run(1, old), run(2, new)).values == (ValueChange("pre.a", "m", "v1", "v2"),)


def test_values_of_different_units_are_not_subtracted():
    old, new = (
        _with("pre.a", Finding("m", "pass", 1, unit="s")),
        _with("pre.a", Finding("m", "pass", 1, unit="B")),
    )
    (value,) = compare(run(1, old), run(2, new)).values
    assert value.change is None


def test_from_zero_there_is_a_change_but_no_relative_one():
    old, new = _with("pre.a", Finding("m", "pass", 0)), _with("pre.a", Finding("m", "pass", 4))
    (value,) = compare(run(1, old), run(2, new)).values
    assert (value.change, value.relative) == (4, None)


def test_whether_the_configuration_changed_is_said_where_it_is_known():
    def with_settings(number, digest):
        written = run(number)
        return structs.replace(written, header=structs.replace(written.header, settings_digest=digest))

    assert compare(with_settings(1, "a"), with_settings(2, "b")).same_settings is False
    assert compare(with_settings(1, "a"), with_settings(2, "a")).same_settings is True
    assert compare(with_settings(1, ""), with_settings(2, "a")).same_settings is None
