"""Kept evaluations: what was measured, and everything that it was measured on. Knows nothing of how it is measured.

A report is `{"figures": {name: number}, ...}`; what else stands in it is the business of its kind.
"""

import functools
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import sqlalchemy as sa

from bot import db
from bot.errors import EvaluationRefused
from bot.settings import HOME

# What a list of runs and a trend show; the rows of the questions stay in the database.
LIGHT = ("figures", "intervals", "mistakes", "consistency", "risk")


@dataclass(frozen=True)
class Run:
    """One kept evaluation. `pins` say what was measured (model, adapter, prompt, threshold, version, data, seed);
    `report` is whole only where one run was asked for."""

    number: int
    kind: str
    title: str
    pins: dict[str, Any]
    report: dict[str, Any] = field(repr=False)
    created_at: datetime

    @property
    def name(self) -> str:
        """How a list calls it: its number and its title."""
        return f"{self.number} · {self.title}" if self.title else f"{self.number} · {self.kind}"

    @property
    def figures(self) -> dict[str, float]:
        """The plain figures."""
        return dict(self.report.get("figures") or {})


def version() -> str:
    """The version of this program: the package's, and the first digits of the SHA-256 of what makes an answer (`bot`'s
    modules and prompts), so that an edited copy is told from the released one."""
    return f"{metadata.version('frontdesk')}+{_sources()}"


@functools.cache
def _sources() -> str:
    digest = hashlib.sha256()
    for path in sorted((HOME / "bot").rglob("*")):
        if path.suffix in (".py", ".md") and path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def keep(engine: sa.Engine, kind: str, title: str, pins: dict[str, Any], report: dict[str, Any]) -> int:
    """Keep an evaluation and return its number. The version of the program is pinned by itself."""
    kept = {"kind": kind, "title": title, "pins": {**pins, "version": version()}, "report": report}
    with db.writing(engine) as connection:
        return db.new_id(connection.execute(sa.insert(db.evaluations).values(**kept, created_at=db.now())))


def listing(engine: sa.Engine, kind: str | None = None) -> list[Run]:
    """The kept evaluations, of one kind or of all, newest first, without the rows of their questions."""
    table = db.evaluations
    parts = [table.c.report[name].label(name) for name in LIGHT]
    columns = (table.c.evaluation_id, table.c.kind, table.c.title, table.c.pins, table.c.created_at, *parts)
    query = sa.select(*columns).order_by(table.c.evaluation_id.desc())
    if kind is not None:
        query = query.where(table.c.kind == kind)
    return [_run(row, {name: getattr(row, name) for name in LIGHT}) for row in db.rows(engine, query)]


def find(engine: sa.Engine, number: int) -> Run:
    """One kept evaluation, whole."""
    row = db.one(engine, sa.select(db.evaluations).where(db.evaluations.c.evaluation_id == number))
    if row is None:
        raise EvaluationRefused(f"No evaluation {number} was kept; `frontdesk eval list` shows what there is.")
    return _run(row, row.report)


def alike(run: Run, others: list[Run]) -> list[Run]:
    """The runs of the same kind over the same data, the oldest first: what a trend is drawn through."""
    same = [one for one in others if one.kind == run.kind and one.pins.get("data") == run.pins.get("data")]
    return sorted(same, key=lambda one: one.number)


def _run(row: db.Row, report: dict[str, Any]) -> Run:
    return Run(
        number=row.evaluation_id,
        kind=row.kind,
        title=row.title,
        pins=row.pins,
        report=report,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
    )
