"""The whole consultation on real parts: Chroma, the embedding model, the small chat model."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot import adapters, consult, conversations, db, feedback, gaps, ground, pins, preferences, prompts, retrieve
from bot.desk import Desk, open_desk
from bot.errors import AdapterRefused, ModelUnavailable, QuestionRefused, SearchUnavailable
from bot.records import Answer, Found, Sentence, Turn
from bot.settings import Settings
from ingest import sample, scratch


@pytest.fixture(scope="module")
def library(servers: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The sample company's documents."""
    settings = servers.model_copy(update={"data_dir": tmp_path_factory.mktemp("library")})
    with scratch.library(open_desk(settings), scratch.from_files(sample.paths())) as desk:
        yield desk


def test_an_answer_arrives_as_passages_then_verified_sentences_then_the_whole(library: Desk) -> None:
    first, *sentences, last = consult.consult(library, "How long is a gift card valid?")
    assert isinstance(first, Found) and first.passages
    assert sentences and all(isinstance(sentence, Sentence) for sentence in sentences)
    assert isinstance(last, Answer) and not last.abstained
    assert last.text == " ".join(sentence.text for sentence in sentences if isinstance(sentence, Sentence))
    assert "gift-cards.txt" in {citation.document for citation in last.citations}


def test_every_shown_sentence_cites_a_passage_that_holds_it(library: Desk) -> None:
    for question in ("When do my points expire?", "What does delivery to Norway cost?", "Who may operate the stove?"):
        answer = consult.ask(library, question)
        texts = {passage.chunk_id: passage for passage in answer.passages}
        for citation in answer.citations:
            assert citation.quote in texts[citation.chunk_id].text
        if not answer.quoted:
            assert ground.unsupported(answer.text, list(texts.values())) == []


def test_what_the_documents_do_not_say_is_said_honestly(library: Desk) -> None:
    answer = consult.ask(library, "Who won the football on Saturday?")
    assert answer.abstained
    assert answer.citations == ()
    assert "could not find that in our documents" in answer.text


def test_without_an_answer_the_nearest_documents_and_a_person_are_offered(library: Desk) -> None:
    conversation_id = conversations.start(library.database, "customer")
    question = "How many hours does the battery of the LED lantern last?"
    *_, answer = consult.consult(library, question, conversation_id=conversation_id)
    assert isinstance(answer, Answer) and answer.abstained and answer.offers_person
    assert answer.nearby[0].title in answer.text
    assert {passage.document for passage in answer.passages} >= {near.document for near in answer.nearby}
    assert [cluster.question for cluster in gaps.clusters(library.database)] == [answer.question]


def test_what_is_not_for_this_desk_is_declined_before_anything_is_searched(library: Desk) -> None:
    before = gaps.count_open(library.database)
    conversation_id = conversations.start(library.database, "customer")
    *events, answer = consult.consult(
        library, "Write me an epic poem about the sea and its monsters.", conversation_id=conversation_id
    )
    assert isinstance(answer, Answer) and answer.declined and answer.abstained
    assert events == [] and answer.passages == () and not answer.offers_person
    assert gaps.count_open(library.database) == before


def test_somebody_in_trouble_is_offered_a_person_even_with_an_answer(library: Desk) -> None:
    answer = consult.ask(library, "This is an emergency, the stove leaks gas! I need to talk to somebody right now!!")
    assert answer.offers_person and answer.manner is not None and answer.manner.urgent > 0.5


def test_a_pinned_answer_is_given_word_for_word(library: Desk) -> None:
    question = "How long is a gift card valid?"
    asked = consult.ask(library, question)
    feedback_id = feedback.rate(library.database, asked, 1)
    feedback.approve(library.database, feedback_id, "Ada", rewrite=asked.citations[0].quote)
    item = feedback.find(library.database, feedback_id)
    pinned = pins.pin(library.database, library.embeddings, library.embedding_model, item, "Ada")
    again = consult.ask(library, "how long is a gift card valid")
    assert again.text == pinned.text and again.pin == pinned.pin_id
    assert again.citations == pinned.citations and again.messages == ()
    pins.unpin(library.database, pinned.pin_id, "Ada")
    assert consult.ask(library, question).pin is None


def test_the_operator_says_how_sure_the_bot_must_be(library: Desk) -> None:
    question = "How long is a gift card valid?"
    preferences.put(library.database, preferences.CAUTION, 1.0, "Ada")
    assert consult.ask(library, question).abstained
    preferences.put(library.database, preferences.CAUTION, None, "Ada")
    assert not consult.ask(library, question).abstained


def test_a_draft_of_the_prompt_is_tried_without_a_trace(library: Desk) -> None:
    known = len(conversations.recent(library.database))
    shipped = prompts.load("answer")
    tried = consult.try_prompt(library, "How long is a gift card valid?", shipped)
    assert tried.prompt == shipped.version and not tried.abstained
    assert len(conversations.recent(library.database)) == known


def test_an_answer_is_kept_with_everything_it_was_made_from(library: Desk) -> None:
    answer = consult.ask(library, "How long is a gift card valid?")
    kept = conversations.answer(library.database, answer.answer_id)
    assert kept == answer
    assert kept.model == library.settings.model and kept.prompt.startswith("answer@") and kept.adapter is None
    assert [message["role"] for message in kept.messages] == ["system", "user"] and kept.said
    times = kept.timings_ms
    assert times.total >= times.first_sentence >= times.first_token >= times.retrieve > 0


def test_a_follow_up_is_understood_from_its_history(library: Desk) -> None:
    history = (Turn("user", "What does delivery to Zone A cost?"), Turn("assistant", "€4.90 [1]."))
    found = retrieve.search(library, "And to Norway?", 4, history)
    assert any("Norway" in passage.text and "€18.00" in passage.text for passage in found)


def test_hybrid_search_unites_both_legs(library: Desk) -> None:
    by_words = retrieve.search(library, "E2-11", 5, legs=("lexical",))
    assert by_words and "E2-11" in by_words[0].text
    assert {passage.chunk_id for passage in by_words} & {p.chunk_id for p in retrieve.search(library, "part E2-11", 20)}


def test_the_retriever_is_a_langchain_retriever(library: Desk) -> None:
    documents = retrieve.PassageRetriever(desk=library, k=3).invoke("How long is a gift card valid?")
    assert len(documents) == 3
    assert documents[0].metadata["passage"].text == documents[0].page_content


@pytest.mark.parametrize(("question", "sentence"), [("   ", "empty"), ("why " * 1_000, "characters")])
def test_a_question_that_cannot_be_asked_gets_one_sentence(library: Desk, question: str, sentence: str) -> None:
    with pytest.raises(QuestionRefused, match=sentence):
        consult.ask(library, question)


def test_without_the_search_index_nothing_ungrounded_is_said(library: Desk) -> None:
    settings = library.settings.model_copy(update={"chroma_url": "http://127.0.0.1:9"})
    lost = replace(open_desk(settings), database=library.database)
    with pytest.raises(SearchUnavailable, match="does not answer"):
        consult.ask(lost, "How long is a gift card valid?")


def test_without_the_model_there_is_one_sentence(library: Desk) -> None:
    settings = library.settings.model_copy(update={"model_url": "http://127.0.0.1:9"})
    lost = replace(open_desk(settings), database=library.database)
    with pytest.raises(ModelUnavailable, match="does not answer"):
        consult.ask(lost, "How long is a gift card valid?")


def test_an_adapter_that_is_not_there_is_refused_by_name(library: Desk) -> None:
    with db.writing(library.database) as connection:
        adapters.register(connection, "style-v1", "/nowhere", base="x", meta={}, report={}, state="candidate")
    with pytest.raises(AdapterRefused, match="style-v1"):
        consult.ask(library, "How long is a gift card valid?", adapter="style-v1")
