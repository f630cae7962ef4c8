"""PostgreSQL databases; with the extra `postgres`."""

from typing import ClassVar

from gatekeeper import Context, Finding, Secret
from gatekeeper_gates.components.sql import Answer, Database

INSTALL = "pip install 'gatekeeper-gates[postgres]'"


class Postgres(Database, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A PostgreSQL database. The query runs in a read-only transaction with a `statement_timeout`."""

    kind: ClassVar[str] = "postgres"

    url: Secret
    """`postgresql://user:password@host:port/database`, or a reference such as `"env:DATABASE_URL"`; never
    shown."""

    @property
    def target(self) -> str:
        return "database"

    @property
    def hint(self) -> str:
        place = self.url.reference.removeprefix("env:") if self.url.reference.startswith("env:") else ""
        return f'psql "{"$" + place if place else "URL"}" -c {_quoted(self.query or "SELECT 1")}'

    def observe(self, ctx: Context, within: float) -> Answer | None:
        from gatekeeper_gates.components.libpq import ask, installed

        return ask(self.url, self.query or "SELECT 1", within) if installed() else None

    def judge(self, ctx: Context, seen: Answer | None) -> None:
        if seen is None:
            message = f"{self.label} can't be asked, psycopg is not installed: {INSTALL}"
            ctx.add(Finding(self.title, "error", message=message, hint=INSTALL))
        else:
            self.judge_answer(ctx, seen, {})


def _quoted(query: str) -> str:
    import shlex

    return shlex.quote(query)
