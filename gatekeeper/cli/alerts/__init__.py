"""`gatekeeper alerts`: what fires, who was told, and what somebody does about it."""

import click

from gatekeeper.cli.alerts.ack import ack_alerts
from gatekeeper.cli.alerts.flush import flush_outbox
from gatekeeper.cli.alerts.history import list_events
from gatekeeper.cli.alerts.listing import list_alerts
from gatekeeper.cli.alerts.show import show_alert
from gatekeeper.cli.alerts.trial import try_channels


@click.group("alerts")
def alerts_command() -> None:
    """List, show, acknowledge and send alerts.

    \b
    gatekeeper alerts list                  what fires now, worst first
    gatekeeper alerts ack pre.components    I take it over: no escalation
    gatekeeper alerts flush                 send at once what is queued
    gatekeeper alerts test slack            does this channel work?
    """


for _command in (list_alerts, show_alert, ack_alerts, flush_outbox, try_channels, list_events):
    alerts_command.add_command(_command)
