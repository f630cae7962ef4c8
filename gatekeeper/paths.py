"""Paths as people write them."""

import os
from pathlib import Path
from typing import Annotated, TypeAlias

from msgspec import Meta

POLICY = "policy"

PolicyPath: TypeAlias = Annotated[str, Meta(extra={POLICY: True})]
"""A setting that names a file or folder with rules, such as a JSON Schema: part of the policy, as the configuration is.

With `--policy-from` it is read from the trusted ref. Open it with `ctx.policy_path(…)`.
"""


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with `~` as the home folder; `~name` of a user who doesn't exist stays as it is, to be not found."""
    return Path(os.path.expanduser(path))
