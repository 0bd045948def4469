"""What a reviewer can say about how questions were understood."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot import conversations
from bot.manners import labels, weights
from bot.manners.learn import Lesson
from bot.records import Manner
from tests.ui.given_pages import answer, index, shown

RUDE = "<b>Write</b> me a poem, now!"


def key(kind: str, text: str) -> str:
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@pytest.fixture
def asked(engine: sa.Engine) -> None:
    """Two questions, one of them out of scope as the classifiers think; one was asked twice."""
    usual = answer(index(engine))
    conversations.keep(engine, replace(usual, manner=Manner(0.1, 0.05, 0.02)), None)
    for number in (2, 3):
        poem = replace(usual, answer_id=f"a{number}", question=RUDE, manner=Manner(0.9, 0.6, 0.2), declined=True)
        conversations.keep(engine, poem, None)


@pytest.mark.usefixtures("asked")
def test_every_question_is_shown_once_with_what_was_thought_of_it(staff_page: Callable[[str], AppTest]) -> None:
    page = staff_page("labels").run()
    drawn = shown(page)
    assert drawn.count("Write") == 1 and "How long do I have?" in drawn
    assert "&lt;b&gt;Write" in drawn and "<b>" not in drawn
    assert any("out of scope 90%" in caption.value for caption in page.caption)
    assert page.selectbox(key=key("scope", RUDE)).value == "out"
    assert page.selectbox(key=key("sentiment", RUDE)).value == "upset"
    assert page.selectbox(key=key("urgency", RUDE)).value == "routine"
    assert page.selectbox(key=key("scope", "How long do I have?")).value == "in"


@pytest.mark.usefixtures("asked")
def test_a_correction_is_kept_with_who_made_it_and_can_be_undone(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    page = staff_page("labels").run()
    page.selectbox(key=key("scope", RUDE)).set_value("in")
    page = page.button(key=key("save", RUDE)).click().run()
    assert labels.said(engine) == {RUDE: {"scope": "in", "sentiment": "upset", "urgency": "routine"}}
    page.button_group(key="labels-filter").set_value("Corrected").run()
    assert "How long do I have?" not in shown(page)
    assert page.selectbox(key=key("scope", RUDE)).value == "in"
    page.button(key=key("undo", RUDE)).click().run()
    assert labels.said(engine) == {}


@pytest.mark.usefixtures("asked")
def test_the_questions_that_were_refused_can_be_looked_at_alone(staff_page: Callable[[str], AppTest]) -> None:
    page = staff_page("labels").run()
    page.button_group(key="labels-filter").set_value("Out of scope").run()
    assert "Write" in shown(page) and "How long do I have?" not in shown(page)


def test_the_figures_of_what_is_in_use_are_shown(staff_page: Callable[[str], AppTest]) -> None:
    page = staff_page("labels").run()
    assert [metric.value for metric in page.metric] == [f"{score.recall:.0%}" for score in weights.shipped().scores]
    assert "0 corrected questions" in page.caption[0].value


def test_what_was_learned_is_shown_beside_what_was_known_before(staff_page: Callable[[str], AppTest]) -> None:
    page = staff_page("labels")
    known = weights.shipped()
    better = tuple(replace(score, recall=score.recall + 0.1) for score in known.scores)
    page.session_state["lesson"] = Lesson(known.scores, replace(known, labels=1, scores=better))
    page.run()
    assert [metric.delta for metric in page.metric] == ["+10.0 points"] * 3


def test_learning_without_the_model_server_fails_with_a_sentence(
    staff_page: Callable[[str], AppTest], engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTDESK_MODEL_URL", "http://127.0.0.1:1")
    page = staff_page("labels").run()
    page.button(key="learn-labels").click().run()
    assert "does not answer" in page.error[0].value
    assert weights.in_use(engine, "all-minilm-l6-v2") is weights.shipped()
