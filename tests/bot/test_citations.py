"""What an answer cites may change or go after it was given."""

import hashlib
from dataclasses import replace

import sqlalchemy as sa

from bot import citations, indexes, jobs, ledger
from bot.records import Chunk, Indexed, Passage, Sighting
from tests.quality.given_answers import said


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


def cited(engine: sa.Engine, chunks: list[Chunk], chunk_id: str) -> str:
    """What opens from a citation of one of these chunks."""
    given_document(engine, "storage.md", "")
    ledger.store(engine, chunks)
    chosen = next(chunk for chunk in chunks if chunk.chunk_id == chunk_id)
    passage = Passage(chunk_id, 1, "storage.md", "Storage", chosen.heading, None, chosen.text, 1.0)
    beside = Passage("elsewhere", 1, "storage.md", "Storage", "", None, "Not cited.", 1.0)
    first, second = citations.in_sections(engine, [passage, beside], {chunk_id})
    assert second == beside
    return first.section


def pieces(heading: str, *texts: str, start: int = 1) -> list[Chunk]:
    return [Chunk(f"{start + at}", 1, start + at, heading, None, text, "storage.md") for at, text in enumerate(texts)]


def test_a_citation_opens_with_the_section_around_it(engine: sa.Engine) -> None:
    chunks = [
        *pieces("Before", "Something else."),
        *pieces("Settings", "From Settings, tap these: one.", "Storage: a location.", "Sound: a tone.", start=2),
        *pieces("After", "Something else.", start=5),
    ]
    assert cited(engine, chunks, "3") == "From Settings, tap these: one.\nStorage: a location.\nSound: a tone."


def test_a_sentence_that_neighbours_share_is_read_once(engine: sa.Engine) -> None:
    chunks = pieces("", "One thing. Another thing.", "Another thing. A third thing.")
    assert cited(engine, chunks, "2") == "One thing. Another thing. A third thing."


def test_of_a_long_section_what_is_nearest_opens(engine: sa.Engine) -> None:
    texts = [f"word{at} " * (citations.SECTION_WORDS // 4) + "." for at in range(12)]
    opened = cited(engine, pieces("", *texts), "6")
    assert len(opened.split()) <= citations.SECTION_WORDS
    assert [at for at in range(12) if f"word{at} " in opened] == [4, 5, 6]


def test_a_chunk_that_is_no_more_opens_as_it_was_found(engine: sa.Engine) -> None:
    passage = Passage("gone", 1, "storage.md", "", "", None, "As it was.", 1.0)
    answer = said(passage, "As it was [1].")
    found = replace(answer, passages=citations.in_sections(engine, [passage], {"gone"}))
    assert found.opened(found.citations[0]) == "As it was."
