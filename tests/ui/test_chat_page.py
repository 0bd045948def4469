"""Asking, reading, and saying what one thinks. The model is a hand-written fake; the rest is real."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot import conversations, feedback, ledger
from bot.desk import Desk
from bot.errors import ModelBusy, ModelUnavailable
from bot.records import Answer, Found, Passage, Sentence, Turn
from tests.ui.given_pages import CUSTOMER, answer, index, shown, told
from ui import session
from ui.consultations import Consultation, Consultations, Event

NASTY = (
    "**b** ![x](https://evil.example/q) <img src=x onerror=alert(1)> <script>alert(1)</script> [l](javascript:1) [1]."
)


class FakeModel:
    """Stands for search and model: says one sentence about one passage, or fails; may be held back."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.error: Exception | None = None
        self.may_finish = threading.Event()
        self.may_finish.set()
        self.asked: list[tuple[str, Sequence[Turn]]] = []
        self.collections: list[str] = []

    def consult(
        self, desk: Desk, question: str, history: Sequence[Turn], conversation_id: str | None, collection: str
    ) -> Iterator[Event]:
        self.asked.append((question, history))
        self.collections.append(collection)
        yield Found((self.passage,))
        if self.error:
            raise self.error
        told = answer(self.passage, f"About “{question}”: 45 days [1].", f"a{len(self.asked)}")
        told = replace(told, keys=("45 days",))
        yield Sentence(told.text, told.citations, "45 days")
        assert self.may_finish.wait(10)
        conversations.keep(desk.database, told, conversation_id)
        yield told


@pytest.fixture
def model(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    fake = FakeModel(index(engine))
    monkeypatch.setattr("ui.consultations.consult", fake.consult)
    return fake


def test_an_empty_chat_offers_questions_about_the_documents(engine: sa.Engine, customer_page: AppTest) -> None:
    index(engine, "gift-cards.txt", "Gift cards")
    index(engine, "tents.txt", "Tents")
    customer_page.run()
    labels = {customer_page.button(key=f"example-{number}").label for number in range(2)}
    assert labels == {"How long is a gift card valid?", "What should I know about “Tents”?"}


def test_a_chat_without_documents_says_so(customer_page: AppTest) -> None:
    assert "nothing to answer from yet" in customer_page.run().info[0].value


def test_a_question_is_answered_with_its_source(model: FakeModel, customer_page: AppTest) -> None:
    customer_page.run()
    customer_page.chat_input(key="question").set_value("How long?").run()
    assert not customer_page.exception and not customer_page.error
    assert "About “How long?”: <strong>45 days</strong>" in shown(customer_page)
    assert customer_page.expander[0].label == r"\[1\] Returns · Refunds · page 2"
    assert "<mark>Anything unused may be returned within 45 days.</mark>" in shown(customer_page)
    assert r"style\-v1 · 3\.2 s" in [caption.value for caption in customer_page.caption]


def test_a_customer_can_ask_about_one_folder(engine: sa.Engine, model: FakeModel, customer_page: AppTest) -> None:
    index(engine, "hr/policies/leave.md", "Leave", "Leave is 30 days.")
    index(engine, "sample/gifts.md", "Gifts", "Gifts are nice.")
    customer_page.run()
    choice = customer_page.selectbox(key="collection")
    assert choice.options == ["Ask about: everything", "Ask about: hr", "Ask about: hr/policies"]
    choice.set_value("hr").run()
    customer_page.chat_input(key="question").set_value("How much leave?").run()
    customer_page.selectbox(key="collection").set_value("").run()
    customer_page.chat_input(key="question").set_value("And gifts?").run()
    assert model.collections == ["hr", ""]


def test_a_folder_that_went_is_not_asked_about(engine: sa.Engine, model: FakeModel, customer_page: AppTest) -> None:
    index(engine, "hr/leave.md", "Leave", "Leave is 30 days.")
    customer_page.run()
    customer_page.selectbox(key="collection").set_value("hr").run()
    ledger.tombstone(engine, ["hr/leave.md"])
    customer_page.run()
    assert not customer_page.selectbox
    customer_page.chat_input(key="question").set_value("How long?").run()
    assert model.collections == [""]


def test_without_folders_there_is_nothing_to_choose(
    engine: sa.Engine, model: FakeModel, customer_page: AppTest
) -> None:
    index(engine, "sample/gifts.md", "Gifts", "Gifts are nice.")
    assert not customer_page.run().selectbox


def test_the_next_question_brings_its_history(model: FakeModel, customer_page: AppTest) -> None:
    customer_page.run()
    customer_page.chat_input(key="question").set_value("How long?").run()
    customer_page.chat_input(key="question").set_value("And for gifts?").run()
    question, history = model.asked[-1]
    assert question == "And for gifts?"
    assert [turn.role for turn in history] == ["user", "assistant"]


def test_the_conversation_is_there_again_after_a_reload(engine: sa.Engine, customer_page: AppTest) -> None:
    told(engine, answer(index(engine), "Forty-five days it is [1]."))
    assert "Forty-five days it is" in shown(customer_page.run())


def test_the_words_that_answer_are_bold_again_after_a_reload(engine: sa.Engine, customer_page: AppTest) -> None:
    told(engine, replace(answer(index(engine), "You have 45 <days [1]."), keys=("45 <days",)))
    assert "You have <strong>45 &lt;days</strong>" in shown(customer_page.run())


def test_a_new_conversation_begins_empty(engine: sa.Engine, customer_page: AppTest) -> None:
    told(engine, answer(index(engine), "Forty-five days it is [1]."))
    customer_page.run()
    customer_page.button(key="new-conversation").click().run()
    assert "Forty-five days it is" not in shown(customer_page)
    assert customer_page.button(key="example-0")


def test_a_failed_question_stays_and_can_be_asked_again(model: FakeModel, customer_page: AppTest) -> None:
    model.error = ModelUnavailable("The model at http://10.0.0.7:8080 does not answer.")
    customer_page.run()
    customer_page.chat_input(key="question").set_value("How long?").run()
    assert "How long?" in shown(customer_page)
    assert "cannot answer right now" in customer_page.warning[0].value
    assert "10.0.0.7" not in customer_page.warning[0].value
    model.error = None
    customer_page.button(key="try-again").click().run()
    assert "About “How long?”" in shown(customer_page)
    assert not customer_page.warning


def test_an_unexpected_failure_of_an_answer_is_an_apology(model: FakeModel, customer_page: AppTest) -> None:
    model.error = RuntimeError("secret detail")
    customer_page.run()
    customer_page.chat_input(key="question").set_value("How long?").run()
    assert "Something went wrong on our side" in customer_page.warning[0].value
    assert not customer_page.exception


def test_a_second_question_does_not_break_the_first(engine: sa.Engine, model: FakeModel) -> None:
    desk, running = session.desk(), Consultations()
    conversation_id = conversations.start(engine, CUSTOMER)
    model.may_finish.clear()
    first = running.start(desk, CUSTOMER, conversation_id, "first", ())
    second = running.start(desk, CUSTOMER, conversation_id, "second", ())
    model.may_finish.set()
    assert second is first
    *_, last = [event for event in first.follow() if event]
    assert isinstance(last, Answer) and "first" in last.text
    assert [question for question, _ in model.asked] == ["first"]


def test_an_answer_in_the_making_is_followed_from_its_beginning(engine: sa.Engine, model: FakeModel) -> None:
    consultation = Consultation(conversations.start(engine, CUSTOMER), "How long?")
    consultation.make(session.desk(), ())
    once, again = ([event for event in consultation.follow() if event] for _ in range(2))
    assert [type(event) for event in once] == [Found, Sentence, Answer]
    assert once == again


def test_too_many_questions_at_once_are_sent_away(
    engine: sa.Engine, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.consultations.MOST_AT_ONCE", 1)
    running = Consultations()
    model.may_finish.clear()
    running.start(session.desk(), "one", conversations.start(engine, "one"), "first", ())
    with pytest.raises(ModelBusy):
        running.start(session.desk(), "two", conversations.start(engine, "two"), "second", ())
    model.may_finish.set()


def test_markup_in_an_answer_is_inert(engine: sa.Engine, customer_page: AppTest) -> None:
    told(engine, answer(index(engine, title="<b>T</b> ![t](https://evil.example/t)", text=NASTY), NASTY))
    customer_page.run()
    drawn = shown(customer_page)
    assert "<img" not in drawn and "<script" not in drawn
    assert "&lt;img src=x" in drawn
    # nothing of it reaches a Markdown element undisarmed
    assert not any("evil.example" in element.value for element in customer_page.markdown)
    assert all("![" not in expander.label and "://" not in expander.label for expander in customer_page.expander)


def test_an_answer_that_is_not_in_the_documents_looks_different(engine: sa.Engine, customer_page: AppTest) -> None:
    told(engine, answer(index(engine), "I could not find that. Please ask our team.", abstained=True))
    customer_page.run()
    assert 'class="fd-text fd-abstained"' in shown(customer_page)
    assert not customer_page.expander


def test_a_removed_document_is_not_quoted_any_more(engine: sa.Engine, customer_page: AppTest) -> None:
    told(engine, answer(index(engine)))
    ledger.tombstone(engine, ["returns.md"])
    customer_page.run()
    assert "Anything unused" not in shown(customer_page)
    assert "removed since" in " ".join(caption.value for caption in customer_page.caption)


def test_a_thumb_is_kept_at_once_and_its_reason_afterwards(engine: sa.Engine, customer_page: AppTest) -> None:
    told(engine, answer(index(engine)))
    customer_page.run()
    customer_page.feedback(key="thumb-a1").set_value(0).run()
    assert [(row.rating, row.reason) for row in feedback.listing(engine)] == [(0, "")]
    customer_page.button_group(key="reason-a1").set_value("Too long")
    customer_page.text_area(key="comment-a1").set_value("Half of it would do.")
    customer_page.button(key="send-a1").click().run()
    assert [(row.reason, row.comment) for row in feedback.listing(engine)] == [("Too long", "Half of it would do.")]
    assert "Thank you" in " ".join(caption.value for caption in customer_page.caption)
