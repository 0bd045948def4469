"""How a reading is cut: along its structure, in the embedding model's own tokens, the same again every time."""

import itertools

from bot import tokens
from bot.records import Chunk
from bot.settings import load_settings
from ingest import chunks
from ingest.readers.reading import Block, Reading

SENTENCE = "The quick brown fox jumps over the lazy dog near the river bank today. "
MOST = 100
COUNT = tokens.counter(load_settings())


def cut(*blocks: Block, most: int = MOST) -> list[Chunk]:
    return chunks.cut(Reading("Animals", blocks), "Animals", 7, COUNT, most)


def test_no_chunk_is_longer_than_allowed_and_nothing_is_lost() -> None:
    words = [f"word{n}" for n in range(500)]
    for block in (Block("text", SENTENCE * 30), Block("text", " ".join(words)), Block("row", "; ".join(words))):
        found = cut(block)
        assert all(COUNT([chunk.text])[0] <= MOST for chunk in found)
        assert set(block.text.split()) <= {word for chunk in found for word in chunk.text.split()}


def test_a_word_without_end_is_cut_too() -> None:
    found = cut(Block("text", "QWxhZGRpbjpvcGVuIHNlc2FtZQ" * 400))
    assert all(COUNT([chunk.text])[0] <= MOST for chunk in found)
    assert sum(len(chunk.text) for chunk in found) == 26 * 400


def test_chunks_never_cross_a_heading_or_a_page() -> None:
    found = cut(
        Block("heading", "Foxes", 1),
        Block("text", SENTENCE * 12, page=1),
        Block("text", "On page two.", page=2),
        Block("heading", "Dogs", 2),
        Block("text", SENTENCE, page=2),
    )
    assert [chunk.heading for chunk in found][-1] == "Foxes > Dogs"
    assert {chunk.page for chunk in found if "page two" in chunk.text} == {2}
    assert all(chunk.title == "Animals" for chunk in found)


def test_the_title_is_not_repeated_in_the_heading() -> None:
    (only,) = cut(Block("heading", "Animals", 1), Block("heading", "Foxes", 2), Block("text", SENTENCE))
    assert only.heading == "Foxes"


def test_neighbours_share_a_sentence_within_a_paragraph() -> None:
    numbered = " ".join(f"Rule {n} says that locker {n} is to be closed at night." for n in range(20))
    found = cut(Block("text", numbered))
    for before, after in itertools.pairwise(found):
        shared = before.text.split(". ")[-1].rstrip(".")
        assert after.text.startswith(shared)


def test_a_row_of_a_table_stays_whole_and_is_not_repeated() -> None:
    rows = [Block("row", f"Zone: Zone {n}; Price: {n}.90 euros; Days: {n} working days") for n in range(30)]
    found = cut(*rows)
    lines = [line for chunk in found for line in chunk.text.split("\n")]
    assert lines == [row.text for row in rows]


def test_the_same_content_gets_the_same_ids_again() -> None:
    blocks = (Block("heading", "Foxes", 1), Block("text", SENTENCE * 20))
    assert cut(*blocks) == cut(*blocks)
    assert cut(*blocks)[0].chunk_id == "v7-00000"


def test_slides_that_are_all_titles_can_be_found() -> None:
    (only,) = cut(Block("heading", "Slide 1: Autumn sale", 1), Block("heading", "Slide 2: Half price on tents", 1))
    assert "Half price on tents" in only.text
