"""What only this flow's owner knows: where its data comes from, and what must hold between input and output.

The rest (schemas, counts, speed, leftovers) is configured in gatekeeper.toml and checked by gates that ship.
"""

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gatekeeper import Context, DataError, data, post, pre

Record = dict[str, Any]

COUNTRIES = ("iso3166-1.json", "3166-1", 240)
SUBDIVISIONS = ("iso3166-2.json", "3166-2", 4_900)
"""File, the list in it, and the fewest entries that are believed: ISO had more for years."""


def source(file: str, key: str) -> list[Record]:
    """A list of the ISO databases that pycountry brings along."""
    package = find_spec("pycountry")
    if package is None:
        raise DataError("pycountry", "is not installed: pip install pycountry")
    entries: list[Record] = data.load(Path(str(package.origin)).parent / "databases" / file)[key]
    return entries


@pre(params={"countries": COUNTRIES, "subdivisions": SUBDIVISIONS}, tags=["iso"])
def databases(ctx: Context) -> None:
    """The ISO databases are installed and whole."""
    file, key, least = ctx.param
    hint = "pip install --force-reinstall pycountry"
    ctx.measure(file, len(source(file, key)), unit="entries", fail=least, worse="lower", hint=hint)


def written(ctx: Context) -> int | None:
    """When the flow last finished, in nanoseconds of its summary's time of change; None before it ever did."""
    summary = ctx.path("build/summary.json")
    return summary.stat().st_mtime_ns if summary.exists() else None


@post(before=written, tags=["iso"])
def fresh(ctx: Context) -> None:
    """The flow ran since the pre run: what an earlier one wrote is not its success."""
    before, now = ctx.before["post.fresh"], written(ctx)
    ctx.check(
        now is not None and now != before,
        "build/summary.json was not written since the pre run"
        if now
        else "the flow wrote no build/summary.json",
        name="written",
        observed=_time(now),
        operator="!=",
        limit=_time(before),
        hint="python flow.py",
    )


def _time(nanoseconds: int | None) -> str:
    if nanoseconds is None:
        return "never"
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(timespec="milliseconds")


@post(needs=["fresh"], tags=["iso"])
def nothing_lost(ctx: Context) -> None:
    """Every subdivision that went in came out, and nothing else did."""
    file, key, _ = SUBDIVISIONS
    wanted = {entry["code"] for entry in source(file, key)}
    written = {record["code"] for record in data.records(ctx.path("build/subdivisions.jsonl"))}
    for name, codes in (("lost", sorted(wanted - written)), ("invented", sorted(written - wanted))):
        ctx.check(
            not codes,
            f"{len(codes)} of {len(wanted)} subdivisions {name}: {', '.join(codes[:5])} …",
            name=name,
            observed=len(codes),
            operator="<=",
            limit=0,
            unit="subdivisions",
            n=len(wanted),
            hint=f"wc -l build/subdivisions.jsonl  # {len(wanted)} went in",
            evidence={"codes": codes} if codes else None,
        )


@post(needs=["fresh"], tags=["iso"])
def countries_joined(ctx: Context) -> None:
    """Each subdivision is in the country that its code begins with, under that country's name."""
    file, key, _ = COUNTRIES
    names = {entry["alpha_2"]: entry["name"] for entry in source(file, key)}
    records = list(data.records(ctx.path("build/subdivisions.jsonl")))
    wrong = [record["code"] for record in records if not _in_its_country(record, names)]
    ctx.check(
        not wrong,
        f"{len(wrong)} of {len(records)} subdivisions have no country or another's: {', '.join(wrong[:5])} …",
        name="country",
        observed=len(wrong),
        operator="<=",
        limit=0,
        unit="subdivisions",
        n=len(records),
        hint=f"grep -n '{wrong[0] if wrong else ''}' build/subdivisions.jsonl",
        evidence={"codes": wrong} if wrong else None,
    )


def _in_its_country(record: Record, names: dict[str, str]) -> bool:
    alpha_2 = record["code"].partition("-")[0]
    return bool(record.get("country") == {"alpha_2": alpha_2, "name": names.get(alpha_2)})
