"""`sarif`: Static Analysis Results Interchange Format 2.1.0 (OASIS), for GitHub code scanning and SARIF viewers.

Rules are gates, results what they found. GitHub makes an alert of every result, of passes too (it reads no `kind`), so
only what does not pass is a result; verbosity 1 and more adds the others, for viewers that read kinds.

GitHub refuses a file of more than 10 MB compressed, of more than 25,000 rules or results, and shows 5,000 results
(docs.github.com, "SARIF support for code scanning"): the worst ones are kept, and a notification counts the others.
"""

from typing import TYPE_CHECKING, Any

from gatekeeper import Report, Result, Run, View, printable, strict_json
from gatekeeper.wording import again, headline, one_line, reason_line, tally

if TYPE_CHECKING:
    from gatekeeper.annotations import Annotation
    from gatekeeper.places import Place

MOST_RESULTS, MOST_RULES, MOST_TAGS = 5_000, 25_000, 10
MOST_REASONS = 20
MAX_BYTES = 9_000_000
"""Of rules and results together, before compression: whatever they hold, the file is less than 10 MB after it."""
MAX_TEXT = 1_000

LEVELS = {"block": "error", "hold": "error", "warn": "warning", "note": "note"}


def render(run: Run, view: View) -> str:
    import msgspec

    from gatekeeper.annotations import annotations
    from gatekeeper.places import Places

    said = annotations(run, view.root)
    found = [(each.rule, _finding(each)) for each in said]
    if view.verbosity >= 1:
        places, told = Places(view.root, run.header.config), {each.rule for each in said}
        quiet = (result for result in run.results if result.id not in told)
        found += [(result.id, _quiet(result, places.gate(result))) for result in quiet]
    rules, results = _fitting(found, run)
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [_run(run, rules, results, left_out=len(found) - len(results))],
    }
    return msgspec.json.format(strict_json(log), indent=2).decode() + "\n"


def _run(run: Run, rules: list[Any], results: list[Any], left_out: int) -> dict[str, Any]:
    version = run.environment.get("gatekeeper")
    driver = {"name": "gatekeeper", "rules": rules}
    return {
        "tool": {"driver": driver | ({"semanticVersion": version} if isinstance(version, str) else {})},
        "automationDetails": {"id": _category(run)},
        "invocations": [_invocation(run, left_out)],
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the repository."}}},
        "results": results,
        "properties": _properties(run),
    }


def _properties(run: Run) -> dict[str, Any]:
    """The verdict, in the words of the JSON report."""
    from msgspec import to_builtins

    verdict, policy = run.verdict, run.header.policy
    return {
        "run": run.id,
        "phase": run.header.phase,
        "subject": to_builtins(run.subject),
        "verdict": {
            "decision": verdict.decision,
            "exit_code": verdict.exit_code,
            "decided_by": verdict.decided_by,
            "original": verdict.original.decision if verdict.original else None,
            "reasons": [reason_line(reason) for reason in verdict.reasons[:MOST_REASONS]],
        },
        "counts": tally(run.counts),
        "policy": policy and {"ref": policy.ref, "commit": policy.commit, "digest": policy.digest},
    }


def _category(run: Run) -> str:
    """`gatekeeper/<phase>/<subject>/<run>`: up to the last slash GitHub's category, one for each phase and subject."""
    parts = ("gatekeeper", run.header.phase, run.subject.name, run.id)
    return "/".join(one_line(part).replace("/", "-") or "-" for part in parts)


def _invocation(run: Run, left_out: int) -> dict[str, Any]:
    """How the run went. It was successful if it came to a decision, whatever that is."""
    header, verdict = run.header, run.verdict
    notes = [("note", note) for note in run.notes[:MOST_REASONS]]
    if left_out:
        notes.append(("warning", f"{left_out} more results had no room here; they are in the JSON report"))
    return {
        "executionSuccessful": header.complete and verdict.decision != "none",
        "exitCode": verdict.exit_code,
        "exitCodeDescription": verdict.decision,
        "toolExecutionNotifications": [{"level": level, "message": _text(text)} for level, text in notes],
    }


# -- rules and results -------------------------------------------------------------------------------------------------


def _fitting(found: list[tuple[str, Any]], run: Run) -> tuple[list[Any], list[Any]]:
    """The rules of all gates and the results, as many as there is room for: results first."""
    gates = {one_line(result.id): result for result in run.results}
    rules: dict[str, tuple[int, Any]] = {}
    results: list[Any] = []
    room = MAX_BYTES
    for name, result in ((one_line(gate), result) for gate, result in found[:MOST_RESULTS]):
        index, rule = rules.get(name) or (len(rules), _rule(name, gates.get(name)))
        room -= _size(result) + (_size(rule) if name not in rules else 0)
        if room < 0:
            break
        rules[name] = index, rule
        results.append({"ruleId": name, "ruleIndex": index, **result})
    for name, gate in gates.items():
        room -= _size(rule := _rule(name, gate)) if name not in rules else 0
        if room < 0 or len(rules) == MOST_RULES:
            break
        rules.setdefault(name, (len(rules), rule))
    return [rule for _, rule in rules.values()], results


def _size(value: Any) -> int:
    return len(strict_json(value))


def _rule(name: str, gate: Result | None) -> dict[str, Any]:
    from gatekeeper.annotations import VERDICT, effect_of

    if gate is None:
        text = "The verdict over the run." if name == VERDICT else name
        return {"id": name, **_described(text, "See it: gatekeeper report term")}
    tags = list(dict.fromkeys(one_line(tag) for tag in gate.tags))[:MOST_TAGS]
    return {
        "id": name,
        **_described(gate.title or name, f"Run it: {again(gate)}"),
        "defaultConfiguration": {"level": LEVELS[effect_of("fail", gate.requirement)]},
        "properties": {"phase": gate.phase, "requirement": gate.requirement}
        | ({"tags": tags} if tags else {}),
    }


def _described(text: str, help: str) -> dict[str, Any]:
    return {"shortDescription": _text(text), "fullDescription": _text(text), "help": _text(help)}


def _finding(annotation: "Annotation") -> dict[str, Any]:
    """A result. SARIF has no level for what is open; GitHub, which reads no kind, then takes the rule's."""
    is_open = annotation.status in ("unknown", "skip")
    level = {} if is_open else {"level": LEVELS[annotation.effect]}
    return {
        "kind": "open" if is_open else "fail",
        **level,
        "message": _text("\n".join(annotation.lines)),
        "locations": [_location(annotation.place)],
        "partialFingerprints": {"gatekeeper/v1": annotation.fingerprint},
        "properties": {"status": annotation.status, "requirement": annotation.requirement},
    }


def _quiet(result: Result, place: "Place | None") -> dict[str, Any]:
    return {
        "kind": "pass" if result.status == "pass" else "notApplicable",
        "message": _text(headline(result) or result.status),
        "locations": [_location(place)],
        "properties": {"status": result.status, "requirement": result.requirement},
    }


def _location(place: "Place | None") -> dict[str, Any]:
    from urllib.parse import quote

    from gatekeeper.places import NOWHERE

    place = place or NOWHERE
    uri = quote(place.file.encode("utf-8", "backslashreplace"))
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": place.line},
        }
    }


def _text(text: str) -> dict[str, str]:
    """A message with neither placeholders (section 3.11.5) nor links (3.11.6) in it."""
    shown = printable(text, newlines=True)
    shown = shown if len(shown) <= MAX_TEXT else f"{shown[: MAX_TEXT - 1]}…"
    return {"text": shown.replace("{", "{{").replace("}", "}}").replace("](", "\\](")}


def gatekeeper_reports() -> list[Report]:
    summary = "SARIF 2.1.0, for code scanning"
    imports = ("gatekeeper.annotations",)
    return [Report(name="sarif", summary=summary, extension="sarif", render=render, imports=imports)]
