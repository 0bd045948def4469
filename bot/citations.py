"""Do the documents still say what an answer cites? An answer keeps the passages that it was made from, so that what
it said can still be read when a document has changed since, but not when it has been taken away."""

from collections.abc import Collection, Sequence
from typing import Literal

import sqlalchemy as sa

from bot import db
from bot.records import Answer

Standing = Literal["current", "changed", "removed"]


def standing(engine: sa.Engine, version_ids: Collection[int]) -> dict[int, Standing]:
    """For versions of documents: whether their documents say the same today, something else, or nothing any more. A
    version that was made anew from the same file, for another index, is current."""
    active = db.versions.alias()
    version = db.versions.c.version_id
    query = (
        sa.select(version, db.versions.c.digest, active.c.digest.label("today"))
        .join(db.documents, db.documents.c.document_id == db.versions.c.document_id)
        .outerjoin(active, active.c.version_id == db.documents.c.active_version_id)
        .where(version.in_(list(version_ids)))
    )
    found = {row.version_id: _standing(row.digest, row.today) for row in db.rows(engine, query)}
    return {version_id: found.get(version_id, "removed") for version_id in version_ids}


def of_answers(engine: sa.Engine, given: Sequence[Answer]) -> dict[int, Standing]:
    """The standing of every version that these answers cite."""
    return standing(engine, {citation.version_id for answer in given for citation in answer.citations})


def _standing(then: str, today: str | None) -> Standing:
    if today is None:
        return "removed"
    return "current" if then == today else "changed"
