"""Paths as people write them."""

import os
from pathlib import Path


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with `~` as the home folder; `~name` of a user who doesn't exist stays as it is, to be not found."""
    return Path(os.path.expanduser(path))
