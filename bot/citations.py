"""What opens from a citation, and do the documents still say it? An answer keeps the passages that it was made from,
and around those that it cites their sections, so that what it said can still be read when a document has changed since,
but not when it has been taken away.
"""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal

import sqlalchemy as sa

from bot import db, documents, sentences
from bot.records import Answer, Chunk, Passage

SECTION_WORDS = 300  # at most, a page of print; what is searched for and said is shorter

Standing = Literal["current", "changed", "removed"]


def in_sections(engine: sa.Engine, passages: Sequence[Passage], cited: Collection[str]) -> tuple[Passage, ...]:
    """The passages, those whose chunks are cited with their sections. A chunk is as short as a search wants it; who
    reads where a sentence stands wants to see what stands around it, such as what a list is a list of."""
    sections = {chunk_id: _section(documents.around(engine, chunk_id), chunk_id) for chunk_id in cited}
    return tuple(replace(one, section=sections.get(one.chunk_id, one.section)) for one in passages)


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


def _section(near: Sequence[Chunk], chunk_id: str) -> str:
    """The cited chunk with as many of its neighbours, the nearest first, as have `SECTION_WORDS` together; nothing
    where it is no more, since its document was switched to another version meanwhile."""
    middle = next((chunk for chunk in near if chunk.chunk_id == chunk_id), None)
    if middle is None:
        return ""
    held = [middle]
    for chunk in sorted(near, key=lambda one: abs(one.ordinal - middle.ordinal))[1:]:
        beside = any(abs(chunk.ordinal - one.ordinal) == 1 for one in held)
        if beside and sum(len(one.text.split()) for one in (*held, chunk)) <= SECTION_WORDS:
            held.append(chunk)
    return _joined(sorted(held, key=lambda one: one.ordinal))


def _joined(chunks: Sequence[Chunk]) -> str:
    """Neighbours as one text; a sentence that they share stands once."""
    text = chunks[0].text
    for before, chunk in itertools.pairwise(chunks):
        shared = sentences.split(before.text)[-1]
        twice = before.text.endswith(shared) and chunk.text.startswith(shared)
        text += chunk.text.removeprefix(shared) if twice else f"\n{chunk.text}"
    return text


def _standing(then: str, today: str | None) -> Standing:
    if today is None:
        return "removed"
    return "current" if then == today else "changed"
