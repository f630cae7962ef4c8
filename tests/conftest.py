"""Fixtures of all tests."""

import os

from hypothesis import settings

pytest_plugins = ["gatekeeper.testing", "execs"]

# Examples write files and start processes on machines that are busy with other tests: time says nothing here. In CI a
# change is judged by the same examples each time; whoever develops tries new ones with every run.
settings.register_profile("gatekeeper", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "gatekeeper")
