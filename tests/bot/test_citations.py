"""What an answer cites may change or go after it was given."""

import hashlib

import sqlalchemy as sa

from bot import citations, indexes, jobs, ledger
from bot.records import Chunk, Indexed, Sighting


def given_document(engine: sa.Engine, path: str, text: str) -> int:
    """A document that answers; the id of its version."""
    ledger.observe(engine, [Sighting(path, hashlib.sha256(text.encode()).hexdigest(), len(text), 0.0)])
    (job,) = jobs.claim(engine, jobs.FAST)
    version_id = int(job.subject)
    ledger.store(engine, [Chunk(f"{version_id}-0", version_id, 0, "", None, text, path)])
    ledger.activate(engine, [Indexed(job, path, None, 1, (), {})])
    return version_id


def test_a_cited_version_is_current_until_its_document_changes(engine: sa.Engine) -> None:
    first = given_document(engine, "returns.md", "45 days")
    assert citations.standing(engine, [first]) == {first: "current"}
    second = given_document(engine, "returns.md", "30 days")
    assert citations.standing(engine, [first, second]) == {first: "changed", second: "current"}


def test_a_cited_document_that_was_taken_away_is_removed(engine: sa.Engine) -> None:
    version_id = given_document(engine, "returns.md", "45 days")
    ledger.tombstone(engine, ["returns.md"])
    assert citations.standing(engine, [version_id, 999]) == {version_id: "removed", 999: "removed"}


def test_a_renamed_document_says_the_same(engine: sa.Engine) -> None:
    version_id = given_document(engine, "returns.md", "45 days")
    assert ledger.move(engine, "returns.md", "policies/returns.md")
    assert citations.standing(engine, [version_id]) == {version_id: "current"}


def test_a_version_made_anew_for_another_index_says_the_same(engine: sa.Engine) -> None:
    first = given_document(engine, "returns.md", "45 days")
    seen = Sighting("returns.md", hashlib.sha256(b"45 days").hexdigest(), 7, 0.0)
    with engine.begin() as connection:
        ledger.add_version(connection, 1, indexes.live(engine).index_id, seen, jobs.FAST)
    (job,) = jobs.claim(engine, jobs.FAST)
    ledger.store(engine, [Chunk(f"{job.subject}-0", int(job.subject), 0, "", None, "45 days", "returns.md")])
    ledger.activate(engine, [Indexed(job, "returns.md", None, 1, (), {})])
    assert int(job.subject) != first
    assert citations.standing(engine, [first]) == {first: "current"}
