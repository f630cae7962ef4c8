"""Fixtures of all tests."""

from hypothesis import settings

pytest_plugins = ["gatekeeper.testing"]

# examples write files and start processes on machines that are busy with other tests: time says nothing here
settings.register_profile("gatekeeper", deadline=None)
settings.load_profile("gatekeeper")
