"""Configuration: from files, environment and flags to `Settings`, and on to each gate's own settings."""

from gatekeeper.settings.load import Flag, load
from gatekeeper.settings.origin import Row, digest, gate_origins, origins
from gatekeeper.settings.resolve import GateOptions, Resolved, resolve
from gatekeeper.settings.tables import (
    Freeze,
    PluginSettings,
    ProjectSettings,
    RunSettings,
    SampleFile,
    Settings,
    StoreSettings,
    SubjectSettings,
)

__all__ = [
    "Flag",
    "Freeze",
    "GateOptions",
    "PluginSettings",
    "ProjectSettings",
    "Resolved",
    "Row",
    "RunSettings",
    "SampleFile",
    "Settings",
    "StoreSettings",
    "SubjectSettings",
    "digest",
    "gate_origins",
    "load",
    "origins",
    "resolve",
]
