"""What the settings of one file have in `pre.inputs` and `post.outputs`; light, since every run reads its
settings.
"""

from typing import Protocol

from gatekeeper.quantities import Budget, Duration


class FileSettings(Protocol):
    """What the settings of one file have in both gates."""

    @property
    def path(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def required(self) -> bool: ...
    @property
    def empty(self) -> bool: ...
    @property
    def content(self) -> bool: ...
    @property
    def size(self) -> Budget: ...
    @property
    def max_age(self) -> Duration | None: ...
    @property
    def encoding(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def schema(self) -> str: ...
    @property
    def schema_folder(self) -> str: ...
    @property
    def formats(self) -> bool: ...
    @property
    def null_texts(self) -> tuple[str, ...]: ...
    @property
    def records(self) -> str | None: ...


def check_settings(spec: FileSettings) -> None:
    """For `__post_init__` of both gates' settings.

    Raises:
        ValueError: which settings don't go together.
    """
    if bool(spec.path) == bool(spec.name):
        raise ValueError('give either path = "FILE" or name = "NAME" (of --input or --output NAME=FILE)')
    spec.size.expect("size", "B", "")
    if spec.sha256 and len(spec.sha256.removeprefix("sha256:")) != 64:
        raise ValueError(f"sha256 takes 64 hexadecimal digits, got {spec.sha256!r}")
    if spec.schema_folder and not spec.schema:
        raise ValueError("schema_folder is for the $ref of a schema; give schema too")
    if not spec.content and (spec.schema or spec.sha256):
        raise ValueError("content = false reads nothing, so schema and sha256 can't be checked")
