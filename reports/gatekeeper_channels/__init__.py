"""The alert channels that ship, one file each; none is loaded before a channel is configured."""

from collections.abc import Iterable

from gatekeeper.channels import ChannelType


def gatekeeper_channels() -> Iterable[ChannelType]:
    from gatekeeper_channels import alertmanager, command, console, email, file, notify, slack, webhook

    modules = (console, file, webhook, slack, email, alertmanager, command, notify)
    return [module.CHANNEL for module in modules]
