"""Gates around Python code.

`flow` puts them around a block, `gated` around a function, `gate` around an object that is a flow. The gates run in a
process of their own, which is given data: the flow's process may have threads, and is never forked.
"""

from gatekeeper.flows.blocked import Blocked, Held
from gatekeeper.flows.options import Options
from gatekeeper.flows.recorder import Recorder, current
from gatekeeper.flows.run import FlowRun, flow
from gatekeeper.flows.wrap import gate, gated

__all__ = ["Blocked", "FlowRun", "Held", "Options", "Recorder", "current", "flow", "gate", "gated"]
