"""A batch flow over the ISO databases that the package `pycountry` brings along.

    python flow.py                        read, join, clean, write build/
    python flow.py --data FOLDER          from another folder of ISO databases
    python flow.py --fault lose-records   go wrong in one way, to see what the gates say

It reads 249 countries (ISO 3166-1) and 5,046 subdivisions (ISO 3166-2), joins each subdivision to its country
and to the subdivision above it, cleans names, and writes into the folder `build`: `subdivisions.jsonl`,
`countries.jsonl`, `summary.json`, and what it measured of itself, `samples.jsonl`.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Record = dict[str, Any]

FAULTS = {
    "lose-records": "drop every fiftieth subdivision",
    "lose-country": "forget which country the subdivisions of Spain are in",
    "break-schema": "write a number where a name belongs",
    "slow": "take two and a half seconds longer",
    "leave-process": "leave a process behind, for two minutes at most",
    "leave-file": "leave the temporary folder behind",
}


def databases() -> Path:
    """Where pycountry keeps the ISO databases."""
    spec = find_spec("pycountry")
    if spec is None or spec.origin is None:
        raise SystemExit("pycountry is not installed: pip install pycountry")
    return Path(spec.origin).parent / "databases"


def read(folder: Path) -> tuple[list[Record], list[Record]]:
    """Countries and subdivisions as ISO has them."""
    countries = json.loads((folder / "iso3166-1.json").read_text("utf-8"))["3166-1"]
    subdivisions = json.loads((folder / "iso3166-2.json").read_text("utf-8"))["3166-2"]
    return countries, subdivisions


def join(countries: list[Record], subdivisions: list[Record]) -> list[Record]:
    """Each subdivision with the country that its code starts with, and the subdivision above it."""
    names = {country["alpha_2"]: country["name"] for country in countries}
    above = {subdivision["code"]: subdivision for subdivision in subdivisions}
    return [_joined(subdivision, names, above) for subdivision in subdivisions]


def _joined(subdivision: Record, names: dict[str, str], above: dict[str, Record]) -> Record:
    country = subdivision["code"].partition("-")[0]
    parent = above.get(subdivision.get("parent", ""))
    return {
        "code": subdivision["code"],
        "type": subdivision["type"],
        "name": subdivision["name"],
        "country": {"alpha_2": country, "name": names[country]},
        "parent": None if parent is None else {"code": parent["code"], "name": clean(parent["name"])[0]},
    }


def clean(name: str) -> tuple[str, list[str]]:
    """`A Coruña [La Coruña]` as the name and the others that it goes by."""
    normal = " ".join(unicodedata.normalize("NFC", name).split())
    others = re.findall(r"\[([^\]]+)\]", normal)
    main = re.sub(r"\s*\[[^\]]+\]", "", normal).strip() or normal
    return main, [other for other in others if other != main]


def cleaned(subdivisions: Iterable[Record]) -> list[Record]:
    """With one name each and the others beside it, in the order of their codes."""
    records = []
    for subdivision in subdivisions:
        name, others = clean(subdivision["name"])
        records.append({**subdivision, "name": name, "also": others})
    return sorted(records, key=lambda record: record["code"])


def counted(countries: list[Record], subdivisions: list[Record]) -> list[Record]:
    """Countries, each with the number of its subdivisions."""
    of = Counter(record["country"]["alpha_2"] for record in subdivisions)
    kept = ("alpha_2", "alpha_3", "numeric", "name", "official_name")
    records = [{key: country.get(key) for key in kept} for country in countries]
    return sorted(
        ({**record, "subdivisions": of[record["alpha_2"]]} for record in records), key=lambda r: r["alpha_2"]
    )


def summary(countries: list[Record], subdivisions: list[Record]) -> Record:
    """What the flow did, for people and gates."""
    types = Counter(record["type"] for record in subdivisions)
    return {
        "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "countries": len(countries),
        "subdivisions": len(subdivisions),
        "with_parent": sum(record["parent"] is not None for record in subdivisions),
        "types": dict(types.most_common()),
    }


def write(folder: Path, files: dict[str, str], *, keep: bool) -> None:
    """All files or none: written in a temporary folder first, then moved into place."""
    work = Path(tempfile.mkdtemp(prefix="countries-"))
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (work / name).write_text(content, encoding="utf-8")
    for name in files:
        (folder / name).write_bytes((work / name).read_bytes())
        if not keep:
            (work / name).unlink()
    if not keep:
        work.rmdir()


def lines(records: Iterable[Record]) -> str:
    return "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)


def spoil(subdivisions: list[Record], fault: str | None) -> list[Record]:
    """The faults that are in the data."""
    if fault == "lose-records":
        return [record for number, record in enumerate(subdivisions) if number % 50]
    for record in subdivisions:
        if fault == "lose-country" and record["code"].startswith("ES-"):
            record["country"] = {"alpha_2": "??", "name": ""}
        if fault == "break-schema" and record["code"] == "CH-ZH":
            record["name"] = 8001
    return subdivisions


def _leave_process() -> None:
    """As a pool that nobody closed would: alive, in its own session, deaf to the end of its parent."""
    command = [sys.executable, "-c", "import time; time.sleep(120)"]
    nowhere = subprocess.DEVNULL
    subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the ISO databases (default: pycountry's own)")
    parser.add_argument("--out", type=Path, default=Path("build"), help="folder to write to (default: build)")
    wrong = "\n".join(f"{name}: {what}" for name, what in FAULTS.items())
    parser.add_argument("--fault", choices=FAULTS, metavar="FAULT", help=wrong)
    options = parser.parse_args(arguments)
    started, fault = time.perf_counter(), options.fault

    countries, raw = read(options.data or databases())
    subdivisions = spoil(cleaned(join(countries, raw)), fault)
    countries = counted(countries, subdivisions)
    if fault == "slow":
        time.sleep(2.5)
    if fault == "leave-process":
        _leave_process()

    duration = time.perf_counter() - started
    samples = [
        {"name": "duration", "value": round(duration, 4), "unit": "s"},
        {"name": "cpu", "value": round(time.process_time(), 4), "unit": "s"},
        {"name": "throughput", "value": round(len(raw) / duration), "unit": "records/s"},
    ]
    files = {
        "subdivisions.jsonl": lines(subdivisions),
        "countries.jsonl": lines(countries),
        "summary.json": json.dumps(summary(countries, subdivisions), ensure_ascii=False, indent=2) + "\n",
        "samples.jsonl": lines(samples),
    }
    write(options.out, files, keep=fault == "leave-file")
    print(f"{len(subdivisions)} subdivisions of {len(countries)} countries in {duration:.2f} s")


if __name__ == "__main__":
    main()
