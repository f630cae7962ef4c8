"""`json`: the record of a run, one document of schema `gatekeeper.report/1`."""

from gatekeeper import Report, Run, View, strict_json


def render(run: Run, view: View) -> str:
    import msgspec

    return msgspec.json.format(strict_json(run), indent=2).decode() + "\n"


def gatekeeper_reports() -> list[Report]:
    return [Report(name="json", summary="the whole record, for programs", extension="json", render=render)]
