"""Records held against a JSON Schema: `python benchmarks/records.py [--count 1000000]`.

gatekeeper as `pre.inputs` does it: a JSON Lines file, streamed, with line numbers, strict JSON, and every
refusal explained; `validate` is the function beneath. The bare loop is what is faster only by doing less:
orjson reads a line, jsonschema-rs says yes or no. jsonschema (pure Python) and check-jsonschema (a process,
which uses it) see a sample, and their times are scaled to the whole.

Peak memory is that of a process of its own for each size, from Linux's /proc/self/status.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pairing import Against, Candidate, Comparison, Figure, Sample, parser, publish, take_turns, timed
from processes import plain_environment, process

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "customer", "price", "state"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "customer": {"type": "string", "pattern": "^C[0-9]{6}$"},
        "price": {"type": "number", "minimum": 0, "maximum": 100_000},
        "state": {"enum": ["open", "paid", "sent", "returned"]},
        "tags": {"type": "array", "maxItems": 8, "items": {"type": "string", "maxLength": 20}},
        "address": {
            "type": "object",
            "required": ["city"],
            "properties": {"city": {"type": "string"}, "zip": {"type": ["string", "null"]}},
        },
    },
}
GATE, VALIDATE, BARE = "gatekeeper, pre.inputs", "gatekeeper.data.validate", "orjson + jsonschema-rs loop"


def a_record(number: int) -> dict[str, Any]:
    return {
        "id": number + 1,
        "customer": f"C{number * 7919 % 1_000_000:06}",
        "price": number * 37 % 9_999_999 / 100,
        "state": ("open", "paid", "sent", "returned")[number % 4],
        "tags": ["new", f"batch-{number % 97}"],
        "address": {"city": ("Zürich", "Lagos", "Lima")[number % 3], "zip": None if number % 5 else "8001"},
    }


def write_records(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            file.write(json.dumps(a_record(number), ensure_ascii=False) + "\n")


# -- candidates --------------------------------------------------------------------------------------------


def by_gate(folder: Path, name: str, count: int) -> None:
    from gatekeeper.testing import run_gate
    from gatekeeper_gates.inputs import inputs

    files = [{"path": name, "schema": "schema.json", "rows": {"min": count, "max": count}}]
    found = run_gate(inputs, {"files": files}, root=folder)
    if found.status != "pass":
        raise SystemExit(f"pre.inputs: {found.status}, {found.reason}")


def by_validate(folder: Path, name: str, count: int) -> None:
    from gatekeeper.data import Schema, validate

    found = validate(folder / name, Schema.read(folder / "schema.json"))
    expect(found.records - found.refused - found.malformed, count)


def bare(folder: Path, name: str, count: int) -> None:
    import jsonschema_rs
    import orjson

    schema = orjson.loads((folder / "schema.json").read_bytes())
    is_valid = jsonschema_rs.validator_for(schema, validate_formats=True).is_valid
    accepted = 0
    with (folder / name).open("rb") as file:
        for line in file:
            if is_valid(orjson.loads(line)):
                accepted += 1
    expect(accepted, count)


def by_jsonschema(folder: Path, name: str, count: int) -> None:
    import jsonschema

    schema = json.loads((folder / "schema.json").read_bytes())
    is_valid = jsonschema.Draft202012Validator(schema).is_valid
    with (folder / name).open("rb") as file:
        expect(sum(is_valid(json.loads(line)) for line in file), count)


def expect(accepted: int, count: int) -> None:
    if accepted != count:
        raise SystemExit(f"{accepted} records were accepted, expected {count}")


def check_jsonschema(folder: Path, sample: int, times: float) -> Callable[[], Sample]:
    """Its time for a list of records, without that for a list of one: what it takes to start is not scaled."""
    schema = {"type": "array", "items": {key: value for key, value in SCHEMA.items() if key != "$schema"}}
    (folder / "list-schema.json").write_text(json.dumps(schema), encoding="utf-8")
    runs = []
    for count in (sample, 1):
        name = f"list-{count}.json"
        (folder / name).write_text(json.dumps([a_record(n) for n in range(count)]), encoding="utf-8")
        command = [sys.executable, "-m", "check_jsonschema", "--schemafile", "list-schema.json", name]
        runs.append(process(command, folder))

    def run() -> Sample:
        whole, start = (one() for one in runs)
        return Sample(max(whole.wall - start.wall, 0) * times + start.wall, peak=whole.peak)

    return run


# -- comparisons -------------------------------------------------------------------------------------------


def compare(folder: Path, count: int, sample: int, rounds: int) -> Comparison:
    (folder / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    write_records(folder / "all.jsonl", count)
    write_records(folder / "sample.jsonl", sample)
    times = count / sample
    slow = f"jsonschema ({sample:,} records, scaled)"
    taking_part = [
        Candidate(GATE, timed(partial(by_gate, folder, "all.jsonl", count))),
        Candidate(VALIDATE, timed(partial(by_validate, folder, "all.jsonl", count))),
        Candidate(BARE, timed(partial(bare, folder, "all.jsonl", count))),
        Candidate(slow, timed(partial(by_jsonschema, folder, "sample.jsonl", sample), times)),
    ]
    notes = []
    if find_spec("check_jsonschema"):
        name = f"check-jsonschema ({sample:,} records, scaled)"
        taking_part.append(Candidate(name, check_jsonschema(folder, sample, times)))
    else:
        notes.append("Without check-jsonschema, which is not installed: pip install check-jsonschema.")
    taken = take_turns(taking_part, rounds)
    ratios = [Against(GATE, BARE, 1.15), Against(VALIDATE, BARE)]
    ratios += [Against(GATE, name) for name in taken if name not in (GATE, VALIDATE, BARE)]
    size = (folder / "all.jsonl").stat().st_size
    title = f"{count:,} JSON records ({size / 1e6:.0f} MB) against a schema of {len(SCHEMA['properties'])} properties"
    return Comparison(title, taken, ratios, memory(folder, count), notes)


MEASURED = """
import sys
from pathlib import Path
from records import by_gate
by_gate(Path("."), sys.argv[1], int(sys.argv[2]))
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def memory(folder: Path, count: int) -> list[Figure]:
    """Peak memory of `pre.inputs` over a tenth of the records and over all."""
    tenth = max(count // 10, 1)
    write_records(folder / "tenth.jsonl", tenth)
    peaks = [peak(folder, name, number) for name, number in (("tenth.jsonl", tenth), ("all.jsonl", count))]
    named = zip((tenth, count), peaks, strict=True)
    figures = [Figure(f"peak memory, {number:,} records", [bytes_ / 1e6], "MB") for number, bytes_ in named]
    return [
        *figures,
        Figure("peak memory, ten times the records", [peaks[1] / peaks[0]], "×", "flat: about 1"),
    ]


def peak(folder: Path, name: str, count: int) -> int:
    """Bytes, of a process that does this and nothing else."""
    environment = {**plain_environment(), "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", MEASURED, name, str(count)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__, rounds=5)
    options.add_argument("--count", type=int, default=1_000_000, help="How many records.")
    options.add_argument("--sample", type=int, default=20_000, help="How many for those that are slow.")
    asked = options.parse_args(arguments)
    if asked.quick:
        asked.count, asked.sample, asked.rounds = 2_000, 200, 1
    with tempfile.TemporaryDirectory(prefix="gatekeeper-benchmark-") as folder:
        publish(asked, [compare(Path(folder), asked.count, asked.sample, asked.rounds)])


if __name__ == "__main__":
    main()
