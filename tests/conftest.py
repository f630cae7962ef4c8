"""Fixtures of all tests."""

import os
import signal

from hypothesis import settings

pytest_plugins = ["gatekeeper.testing", "execs", "stores"]

# Examples write files and start processes on machines that are busy with other tests: time says nothing here. In CI a
# change is judged by the same examples each time; whoever develops tries new ones with every run.
settings.register_profile("gatekeeper", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "gatekeeper")

# A shell starts what it puts into the background with these ignored, and every process that a test starts would inherit
# that: what Ctrl-C does must not depend on how the tests were started.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
