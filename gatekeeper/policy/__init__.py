"""The policy of a run (configuration, gates, rules) from a trusted ref instead of the working tree.

Whoever opens a pull request writes its working tree. `taken` makes a `TrustedRef` of a commit; a project that is
loaded with one reads its policy from there, and judges the working tree. What is needed of the commit is copied into
a temporary folder when it is first asked for, straight from git's object database.
"""

from gatekeeper.policy.copies import content, held, in_work_tree, located, named, taken
from gatekeeper.policy.git import Object
from gatekeeper.policy.imports import import_path, refuse_shadowing
from gatekeeper.policy.record import notes, record, refuse_brought

__all__ = [
    "Object",
    "content",
    "held",
    "import_path",
    "in_work_tree",
    "located",
    "named",
    "notes",
    "record",
    "refuse_brought",
    "refuse_shadowing",
    "taken",
]
