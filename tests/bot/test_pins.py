"""A pinned answer closes the question that it was pinned to, no other, and only while its documents say so."""

import hashlib
from dataclasses import replace

import pytest
import sqlalchemy as sa
from langchain_core.embeddings import Embeddings

from bot import db, feedback, ledger, pins, sameness, vectors
from bot.errors import PinRefused
from bot.records import Feedback, Meta, Passage
from tests.ui.given_pages import TEXT, answer, index, told

QUESTION = "How long do I have to return something?"
SAID = "Anything unused may be returned within 45 days [1]."
MODEL = "small"


class AllAlike(Embeddings):
    """The least helpful embedding model there is: to it everything is the same."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[1.0, 0.0] for _ in texts]

    def embed_query(self, text: str) -> list[float]:
        return [1.0, 0.0]


def an_item(engine: sa.Engine, passage: Passage, question: str = QUESTION, rewrite: str = SAID) -> Feedback:
    """An approved answer."""
    given = replace(answer(passage, SAID, answer_id=hashlib.md5(question.encode()).hexdigest()), question=question)
    told(engine, given)
    row = feedback.rate(engine, given, 1)
    feedback.approve(engine, row, "ann", rewrite)
    return feedback.find(engine, row)


def pinned(engine: sa.Engine, question: str = QUESTION, rewrite: str = SAID) -> pins.Pin:
    """An answer that was pinned to a question, on a document of its own."""
    return pins.pin(engine, AllAlike(), MODEL, an_item(engine, index(engine), question, rewrite), "ann")


def found(engine: sa.Engine, question: str = QUESTION, model: str = MODEL, collection: str = "") -> pins.Pin | None:
    return pins.find(engine, [1.0, 0.0], model, question, collection)


def test_a_question_that_asks_the_same_gets_the_pinned_answer_word_for_word(engine: sa.Engine) -> None:
    pin = pinned(engine)
    for question in (
        QUESTION,
        "how many days do i have to send something back?",
        "Within how many days can I return it?",
    ):
        assert found(engine, question) == pin
    assert pin.text == SAID
    assert [(one.n, one.document, one.quote) for one in pin.citations] == [(1, "returns.md", SAID.replace(" [1]", ""))]
    assert [passage.text for passage in pin.passages] == [TEXT]


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("What does delivery to Norway cost?", "What does delivery to Sweden cost?"),
        ("What does delivery to Norway cost?", "what does delivery to sweden cost"),
        ("What does delivery to Norway cost?", "What does express delivery to Norway cost?"),
        ("What does delivery to zone B cost?", "what does delivery to zone a cost"),
        ("Do you deliver to Oslo?", "Do you deliver from Oslo?"),
        ("Can I return it after 45 days?", "Can I return it after 60 days?"),
        ("Can I return a tent that I have used?", "Can I return a tent that I have not used?"),
        ("Can I pay by card?", "Can't I pay by card?"),
        ("May I wash it?", "Must I wash it?"),
        ("How hot may I wash the blanket?", "How often may I wash the blanket?"),
        ("When does the shop open?", "When does the shop close?"),
        ("Does coal move from the bunker to the firebox?", "Does coal move from the firebox to the bunker?"),
        ("How do I get to the Sapling level?", "What do I get at the Sapling level?"),
        ("What is it?", "What is that?"),
    ],
)
def test_however_near_another_question_is_another_question(known: str, asked: str) -> None:
    assert not sameness.asks_the_same(known, asked, 1.0)
    assert not sameness.asks_the_same(asked, known, 1.0)


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("What does delivery to Norway cost?", "How much is shipping to Norway, please?"),
        ("How long is a gift card valid?", "When does a gift card expire?"),
        ("May I return a tent that I have used?", "Is it possible to send back a tent I have used?"),
        ("What does the six person tent cost for a week?", "How much is the 6 person tent for a week?"),
    ],
)
def test_other_words_for_the_same_are_the_same_question_if_the_embeddings_agree(known: str, asked: str) -> None:
    assert sameness.asks_the_same(known, asked, 0.8)
    assert not sameness.asks_the_same(known, asked, sameness.LEAST_COSINE - 0.01)


def test_a_changed_document_voids_its_answer_and_is_named(engine: sa.Engine) -> None:
    pinned(engine)
    index(engine, text="Anything unused may be returned within 30 days.")
    assert found(engine) is None
    (pin,) = pins.listing(engine)
    assert pin.voided and pin.void_reason == "“returns.md” has changed."


def test_a_removed_document_voids_its_answer(engine: sa.Engine) -> None:
    pinned(engine)
    ledger.tombstone(engine, ["returns.md"])
    assert [pin.pin_id for pin in pins.void_changed(engine)] == [pins.listing(engine)[0].pin_id]
    assert pins.listing(engine)[0].void_reason == "“returns.md” was removed."
    index(engine)  # it comes back as it was, and is looked at by a person again before it is pinned
    assert found(engine) is None


def test_an_expired_document_voids_its_answer(engine: sa.Engine) -> None:
    pinned(engine)
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.documents).values(valid_until=db.now() - 1))
    assert found(engine) is None
    assert pins.listing(engine)[0].void_reason == "“returns.md” is not valid today."


def test_a_moved_document_keeps_its_answer_which_cites_it_by_its_new_name(engine: sa.Engine) -> None:
    pinned(engine)
    assert ledger.move(engine, "returns.md", "policies/returns.md")
    pin = found(engine)
    assert pin is not None and [citation.document for citation in pin.citations] == ["policies/returns.md"]


def test_a_new_index_of_the_same_files_keeps_pinned_answers(engine: sa.Engine) -> None:
    pin = pinned(engine)
    with db.writing(engine) as connection:
        old = connection.execute(sa.select(db.versions)).one()
        new = {**old._mapping, "version_id": old.version_id + 100, "index_id": old.index_id + 1}
        connection.execute(sa.insert(db.versions).values(**new))
        connection.execute(sa.update(db.documents).values(active_version_id=new["version_id"]))
    assert found(engine) == pin
    assert pins.void_changed(engine) == []


def test_a_rewrite_gets_its_citations_from_the_evidence(engine: sa.Engine) -> None:
    rewrite = "Happy to help! Anything unused may be returned within 45 days. The refund takes 5 working days."
    pin = pinned(engine, rewrite=rewrite)
    assert pin.text == (
        "Happy to help! Anything unused may be returned within 45 days [1]. The refund takes 5 working days [2]."
    )
    assert [citation.quote for citation in pin.citations] == TEXT.replace("days. ", "days.|").split("|")


def test_an_answer_that_says_more_than_the_documents_is_not_pinned(engine: sa.Engine) -> None:
    item = an_item(engine, index(engine), rewrite="Anything unused may be returned within 60 days [1].")
    with pytest.raises(PinRefused, match="do not say “Anything unused may be returned within 60 days"):
        pins.pin(engine, AllAlike(), MODEL, item, "ann")
    assert pins.listing(engine) == []


def test_what_no_document_says_any_more_is_not_pinned(engine: sa.Engine) -> None:
    item = an_item(engine, index(engine))
    index(engine, text="Anything unused may be returned within 30 days.")
    with pytest.raises(PinRefused, match="no document says"):
        pins.pin(engine, AllAlike(), MODEL, item, "ann")


def test_an_answer_is_pinned_to_the_document_that_says_it_today(engine: sa.Engine) -> None:
    item = an_item(engine, index(engine))
    today = index(engine, text=f"{TEXT} Gifts may be exchanged.")
    pin = pins.pin(engine, AllAlike(), MODEL, item, "ann")
    assert {citation.version_id for citation in pin.citations} == {today.version_id}
    assert found(engine) == pin


def test_only_an_approved_answer_is_pinned(engine: sa.Engine) -> None:
    item = an_item(engine, index(engine))
    with pytest.raises(PinRefused, match="approve it first"):
        pins.pin(engine, AllAlike(), MODEL, replace(item, state="pending"), "ann")


def test_an_unpinned_answer_answers_no_more(engine: sa.Engine) -> None:
    pins.unpin(engine, pinned(engine).pin_id, "ann")
    assert found(engine) is None
    assert pins.listing(engine)[0].void_reason == "Unpinned by ann."


def test_another_answer_to_the_same_words_replaces_the_first(engine: sa.Engine) -> None:
    item = an_item(engine, index(engine))
    first = pins.pin(engine, AllAlike(), MODEL, item, "ann")
    second = pins.pin(engine, AllAlike(), MODEL, item, "ben")
    assert found(engine) == second
    assert pins.get(engine, first.pin_id).voided


def test_a_pin_answers_in_folders_that_hold_all_that_it_cites(engine: sa.Engine) -> None:
    passage = index(engine, path="policies/returns.md", meta=Meta())
    pin = pins.pin(engine, AllAlike(), MODEL, an_item(engine, passage), "ann")
    assert found(engine, collection="policies") == pin
    assert found(engine, collection="manuals") is None


def test_another_embedding_model_finds_pins_once_they_are_embedded_by_it(engine: sa.Engine) -> None:
    pin = pinned(engine)
    assert found(engine, model="large") is None
    assert vectors.outdated(engine, db.pinned_answers, "large")
    assert vectors.renew(engine, db.pinned_answers, AllAlike(), "large") == 1
    assert found(engine, model="large") == pin
