"""`gatekeeper alerts flush`: everything in the outbox, at once."""

import click

from gatekeeper.cli.columns import plural
from gatekeeper.cli.project import load_project, project_options
from gatekeeper.cli.recorded import NO_RUNS
from gatekeeper.cli.terminal import print_out
from gatekeeper.store import NoStore
from gatekeeper.wording import one_line


@click.command("flush")
@project_options
def flush_outbox(config: str | None, profile: str | None) -> int:
    """Look again at what stands, and send everything that is queued: at once, whatever it waits for.

    Escalations that are due, and what a silence kept back that has ended since, are sent too. Exit code 0 when
    nothing is left, 1 when something is still queued or was refused.

    \b
    gatekeeper alerts flush
    gatekeeper alerts flush || echo "somebody was not told"
    """
    from gatekeeper.alerts.delivery.deliver import sentence
    from gatekeeper.alerts.evaluate import flush

    project = load_project(config, profile)
    try:
        done = flush(project)
    except NoStore:
        print_out(f"Nothing to send. {NO_RUNS}\n")
        return 0
    held: dict[str, int] = {}
    for each in done.held:
        held[each.why] = held.get(each.why, 0) + 1
    lines = [sentence(sent) for sent in done.sent]
    lines += [f"{plural(count, 'alert')} held back: {why}" for why, count in held.items()]
    lines += [f"note: {note}" for note in done.notes]
    print_out("".join(f"{one_line(line)}\n" for line in lines or ["Nothing to send."]))
    return 1 if any(sent.queued or sent.refused for sent in done.sent) else 0
