"""What it costs a flow to record one sample, step or event, against prometheus_client's metrics.

In one process, a loop of calls each. Both are called as their documentation says: gatekeeper's run by name, the
metrics of prometheus_client as objects that were made before.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat

from pairing import Against, Candidate, Comparison, Figure, parser, publish, take_turns, timed
from prometheus_client import CollectorRegistry, Counter, Histogram

from gatekeeper import Recorder

SAMPLE, OBSERVE = "gatekeeper: record(name, value)", "prometheus_client: Histogram.observe"
UNIT = "gatekeeper: record(name, value, unit)"
LABEL, LABELS = "gatekeeper: record, with a label", "prometheus_client: Histogram.labels, observe"
MANY = "gatekeeper: record, ten times as many as are kept"
STEP, TIME = "gatekeeper: with step(name)", "prometheus_client: with Histogram.time()"
OK, INC = "gatekeeper: ok(name)", "prometheus_client: Counter.inc"


def recorded(recorder: Recorder, values: Sequence[float]) -> None:
    record = recorder.record
    for value in values:
        record("tokens", value)


def with_unit(recorder: Recorder, values: Sequence[float]) -> None:
    record = recorder.record
    for value in values:
        record("latency", value, "s")


def labelled(recorder: Recorder, values: Sequence[float]) -> None:
    record = recorder.record
    for value in values:
        record("words", value, model="small")


def stepped(recorder: Recorder, times: Iterable[None]) -> None:
    step = recorder.step
    for _ in times:
        with step("draft"):
            pass


def went_well(recorder: Recorder, times: Iterable[None]) -> None:
    ok = recorder.ok
    for _ in times:
        ok("calls")


def observed(histogram: Histogram, values: Sequence[float]) -> None:
    observe = histogram.observe
    for value in values:
        observe(value)


def observed_labelled(histogram: Histogram, values: Sequence[float]) -> None:
    labels = histogram.labels
    for value in values:
        labels("small").observe(value)


def timed_steps(histogram: Histogram, times: Iterable[None]) -> None:
    time = histogram.time
    for _ in times:
        with time():
            pass


def incremented(counter: Counter, times: Iterable[None]) -> None:
    inc = counter.inc
    for _ in times:
        inc()


def fresh(work: Callable[[Recorder], None]) -> Callable[[], None]:
    """With a recorder of its own each time, as each flow has one."""
    return lambda: work(Recorder())


def compare(count: int, rounds: int) -> Comparison:
    values = [number % 100 / 10 for number in range(count)]
    many = values * 10
    registry = CollectorRegistry()
    histogram = Histogram("seconds", "", registry=registry)
    labels = Histogram("by_model_seconds", "", ["model"], registry=registry)
    counter = Counter("calls", "", registry=registry)
    taking_part = [
        Candidate(SAMPLE, timed(fresh(lambda recorder: recorded(recorder, values)))),
        Candidate(OBSERVE, timed(lambda: observed(histogram, values))),
        Candidate(UNIT, timed(fresh(lambda recorder: with_unit(recorder, values)))),
        Candidate(MANY, timed(fresh(lambda recorder: recorded(recorder, many)), 0.1)),
        Candidate(LABEL, timed(fresh(lambda recorder: labelled(recorder, values)))),
        Candidate(LABELS, timed(lambda: observed_labelled(labels, values))),
        Candidate(STEP, timed(fresh(lambda recorder: stepped(recorder, repeat(None, count))))),
        Candidate(TIME, timed(lambda: timed_steps(histogram, repeat(None, count)))),
        Candidate(OK, timed(fresh(lambda recorder: went_well(recorder, repeat(None, count))))),
        Candidate(INC, timed(lambda: incremented(counter, repeat(None, count)))),
    ]
    taken = take_turns(taking_part, rounds)
    ratios = [Against(name, OBSERVE, 0.5) for name in (SAMPLE, UNIT, MANY)]
    ratios += [Against(LABEL, LABELS), Against(STEP, TIME), Against(OK, INC)]
    figures = [
        Figure(f"one of {name}", [sample.wall / count * 1e9 for sample in taken[name]], "ns")
        for name in taken
    ]
    return Comparison(f"{count:,} times each", taken, ratios, figures)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__, rounds=15)
    options.add_argument("--count", type=int, default=100_000, help="How many calls of each a round.")
    asked = options.parse_args(arguments)
    if asked.quick:
        asked.count, asked.rounds = 2_000, 1
    publish(asked, [compare(asked.count, asked.rounds)])


if __name__ == "__main__":
    main()
