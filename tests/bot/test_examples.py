"""Approved answers as examples: which are chosen, how they read, and that they follow the approvals."""

import hashlib

import pytest
import sqlalchemy as sa
from langchain_core.embeddings import Embeddings

from bot import db, examples, feedback, ground
from bot.lexical import stems
from bot.records import Passage

RETURNS = "Anything unused may be returned within 45 days. The shop in Elmstow has a bench."
DELIVERY = "Delivery to Norway costs 18 euros. It takes 6 days."


class WordEmbeddings(Embeddings):
    """Texts are near where they share words; it counts how many it was given."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        self.asked.append(text)
        vector = [0.01] * 64
        for stem in stems(text):
            vector[hashlib.sha256(stem.encode()).digest()[0] % 64] += 1
        return vector


def approve(engine: sa.Engine, key: str, question: str, text: str, rewrite: str) -> None:
    beside = Passage(f"{key}-0", 1, "other.md", "Other", "", None, "Nothing of the kind.", 0.5)
    passage = Passage(key, 1, f"{key}.md", key.capitalize(), "", None, text, 1.0)
    feedback.add_approved(engine, key, question, rewrite, [beside, passage], rewrite, "ann")


@pytest.fixture
def approved(engine: sa.Engine) -> sa.Engine:
    """Two approved answers."""
    approve(engine, "returns", "May I send unused things back?", RETURNS, "Unused may be returned within 45 days [1].")
    approve(engine, "delivery", "What does delivery to Norway cost?", DELIVERY, "Delivery to Norway costs 18 euros.")
    return engine


def test_the_example_nearest_to_the_question_is_chosen(approved: sa.Engine) -> None:
    (chosen,) = examples.choose(approved, WordEmbeddings(), "How much is delivery to Norway?", 1)
    assert chosen.question == "What does delivery to Norway cost?"


def test_the_nearest_of_several_examples_stands_next_to_the_question(approved: sa.Engine) -> None:
    chosen = examples.choose(approved, WordEmbeddings(), "How much is delivery to Norway?", 8)
    assert [one.passages[0].document for one in chosen] == ["returns.md", "delivery.md"]


def test_an_example_shows_only_what_supports_its_answer_under_the_right_number(approved: sa.Engine) -> None:
    for one in examples.choose(approved, WordEmbeddings(), "unused?", 2):
        assert ground.unsupported(one.answer, one.passages) == []
        assert one.answer.endswith(" [1].")
        assert len(one.passages) == 1
    assert one.passages[0].text == "Anything unused may be returned within 45 days."


def test_no_example_is_wanted_and_nothing_is_computed(approved: sa.Engine) -> None:
    embeddings = WordEmbeddings()
    assert examples.choose(approved, embeddings, "unused?", 0) == ()
    assert embeddings.asked == []


def test_without_approved_answers_there_are_no_examples(engine: sa.Engine) -> None:
    assert examples.choose(engine, WordEmbeddings(), "unused?", 2) == ()


def test_a_second_question_embeds_only_itself(approved: sa.Engine) -> None:
    embeddings = WordEmbeddings()
    examples.choose(approved, embeddings, "unused?", 1)
    before = len(embeddings.asked)
    examples.choose(approved, embeddings, "Norway?", 1)
    assert embeddings.asked[before:] == ["Norway?"]


def test_examples_follow_what_is_approved(approved: sa.Engine) -> None:
    embeddings = WordEmbeddings()
    assert len(examples.choose(approved, embeddings, "unused?", 8)) == 2
    (withdrawn,) = [row for row in feedback.trainable(approved) if row.question.startswith("May I")]
    feedback.reject(approved, withdrawn.feedback_id, "ann")
    assert [one.passages[0].document for one in examples.choose(approved, embeddings, "unused?", 8)] == ["delivery.md"]
    feedback.approve(approved, withdrawn.feedback_id, "ann")
    with db.writing(approved) as connection:  # an edit after the approval voids it
        connection.execute(
            sa.update(db.feedback).where(db.feedback.c.answer_id == "delivery").values(rewrite="18 [2].")
        )
    assert [one.passages[0].document for one in examples.choose(approved, embeddings, "unused?", 8)] == ["returns.md"]


@pytest.mark.parametrize("rewrite", ["You have 90 days.", "Happy to help!", "Anything unused may be returned. " * 30])
def test_an_answer_that_its_passages_do_not_hold_or_that_is_long_is_no_example(engine: sa.Engine, rewrite: str) -> None:
    approve(engine, "returns", "May I send unused things back?", RETURNS, rewrite)
    assert examples.choose(engine, WordEmbeddings(), "unused?", 1) == ()
