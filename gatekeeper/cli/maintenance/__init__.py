"""`gatekeeper maintenance`: windows in which nothing is told, once or recurring."""

import click

from gatekeeper.cli.maintenance.add import add_window
from gatekeeper.cli.maintenance.end import end_window
from gatekeeper.cli.maintenance.listing import list_windows


@click.group("maintenance")
def maintenance_command() -> None:
    """Plan times in which nobody is told of alerts; verdicts stay what they are.

    What still fires when a window closes is told then. Windows that belong to the project stand better in its
    configuration, as `[[alerts.maintenance]]`.

    \b
    gatekeeper maintenance add move --from now --for 2h --reason "the database moves"
    gatekeeper maintenance list
    gatekeeper maintenance end move
    """


for _command in (add_window, list_windows, end_window):
    maintenance_command.add_command(_command)
