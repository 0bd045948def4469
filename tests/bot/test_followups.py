"""A question in its conversation: what is carried over, what is not, and who rewrites it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.language_models import FakeListChatModel

from bot import followups, retrieve
from bot.desk import Desk, open_desk
from bot.followups import Query
from bot.records import Turn
from bot.serving.weights import BASE_MODEL, CHAT_MODEL
from bot.settings import Settings
from ingest import questions, scratch

HOTELS = ("Grant", "Tilden", "Yale", "Corsair", "Marlow", "Ashby")
FACTS = {
    "check-in": "Check-in starts at three.",
    "parking": "There is a garage for guests.",
    "dogs": "Dogs are welcome.",
}
TALK = (
    Turn("user", "hi i need a place to sleep"),
    Turn("assistant", "I found the Tilden Hotel."),
    Turn("user", "what is the phone number"),
    Turn("assistant", "It is four one five."),
)


@pytest.fixture(scope="module")
def hotels(servers: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The same facts about several hotels, and one other document."""
    settings = servers.model_copy(update={"data_dir": tmp_path_factory.mktemp("hotels")})
    texts = [
        (f"{name.lower()}-{about}", f"{name} Hotel: {about}", f"{fact} This is so at the {name}.")
        for name in HOTELS
        for about, fact in FACTS.items()
    ]
    texts.append(("ferries", "Ferries", "The ferry to Quill Island leaves at 7:45 from the north pier."))
    with scratch.library(open_desk(settings), scratch.from_texts(texts)) as desk:
        yield desk


def test_a_name_that_was_said_earlier_is_carried_over(hotels: Desk) -> None:
    assert followups.names(hotels.database, TALK)[0] == "tilden hotel"
    best, *_ = retrieve.search(hotels, "do they have parking", 3, TALK)
    assert best.document == "tilden-parking"


def test_the_name_that_was_said_last_weighs_most(hotels: Desk) -> None:
    talk = (*TALK, Turn("user", "is there another one"), Turn("assistant", "There is the Yale Hotel."))
    assert followups.names(hotels.database, talk)[0] == "yale hotel"


def test_another_subject_is_not_drowned_by_the_one_before(hotels: Desk) -> None:
    question = "When does the ferry to Quill Island leave?"
    assert retrieve.search(hotels, question, 3, TALK)[0].document == "ferries"
    assert retrieve.standalone(question, TALK, hotels) == [question]


def test_evidence_is_judged_for_the_question_in_its_context(hotels: Desk) -> None:
    question, context = retrieve.standalone("do they have parking", TALK, hotels)
    assert question == "do they have parking"
    assert "tilden hotel" in context and context.endswith(question)


def test_without_a_history_a_question_is_searched_for_as_it_is(hotels: Desk) -> None:
    assert followups.queries(hotels, "do they have parking", ()) == [Query("question", "do they have parking")]


def test_a_reading_counts_as_far_as_it_brings_the_documents_nearer() -> None:
    asked = [Query("question", "q"), Query("named", "n: q"), Query("before", "p q")]
    assert followups.weights(asked, [0.6, 0.5, 0.5]) == [1.0, 0.7, 0.0]
    assert followups.weights(asked, [0.5, 0.6, 0.6]) == pytest.approx([0.9, 1.0, 0.5])
    assert followups.in_context(asked, [0.6, 0.5, 0.5]) == "q"
    assert followups.in_context(asked, [0.5, 0.6, 0.7]) == "p q"
    assert followups.in_context(asked, [0.5, 0.52, 0.51]) == "q"


def test_a_large_model_rewrites_the_question(hotels: Desk) -> None:
    chat = FakeListChatModel(responses=["Does the Tilden Hotel\nhave parking? "])
    rewritten = followups.condensed(hotels, chat, "do they have parking", TALK)
    assert rewritten == "Does the Tilden Hotel have parking?"


def test_an_essay_is_no_question(hotels: Desk) -> None:
    assert followups.condensed(hotels, FakeListChatModel(responses=["Well, " * 500]), "parking?", TALK) == ""


def test_where_the_large_model_fails_the_conversation_is_read_without_it(hotels: Desk) -> None:
    changes = {"model": "large-instruct", "model_url": "http://127.0.0.1:9"}
    asked = followups.queries(open_desk(hotels.settings.model_copy(update=changes)), "do they have parking", TALK)
    assert followups.is_large(hotels.settings.model_copy(update=changes)) and not followups.is_large(hotels.settings)
    assert "question" in {query.reading for query in asked} and "rewritten" not in {query.reading for query in asked}


def test_none_of_the_models_that_we_bring_is_a_large_one(hotels: Desk) -> None:
    for name in (BASE_MODEL, CHAT_MODEL):
        assert not followups.is_large(hotels.settings.model_copy(update={"model": name}))


def test_turns_are_read_in_both_spellings(tmp_path: Path) -> None:
    row = {"id": 1, "question": "and dogs?", "answerable": True, "scope_title": "tilden.example"}
    row["history"] = [{"speaker": "U", "text": "hi"}, {"speaker": "S", "text": "yes?"}, {"role": "user", "text": "so"}]
    (tmp_path / "qa.jsonl").write_text(json.dumps(row))
    (question,) = questions.load_questions(tmp_path / "qa.jsonl")
    assert question.history == (Turn("user", "hi"), Turn("assistant", "yes?"), Turn("user", "so"))
    assert question.text == "and dogs? (tilden.example)"
