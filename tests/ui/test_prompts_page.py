"""What an operator can do with prompts: see them filled, edit, compare, use and take back."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot import db, prompts
from tests.ui.given_pages import index, shown
from ui.prompts import diff

SHIPPED = prompts.shipped("answer")
WARM = SHIPPED.content.replace("You answer customers", "You warmly answer customers")


def edited(page: AppTest, content: str, name: str = "answer") -> AppTest:
    page.text_area(key=f"draft-{name}").set_value(content)
    return page.run()


@pytest.fixture
def page(engine: sa.Engine, staff_page: Callable[[str], AppTest], monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page over a library of one document, with no model and no index to ask."""
    for name in ("MODEL", "CHROMA"):
        monkeypatch.setenv(f"FRONTDESK_{name}_URL", "http://127.0.0.1:9")
    index(engine, text="Anything unused <b>may</b> be returned within 45 days.")
    return staff_page("prompts").run()


def test_the_text_in_use_stands_beside_what_the_model_reads(page: AppTest) -> None:
    assert page.text_area(key="draft-answer").value == SHIPPED.content
    page.text_input(key="prompt-question").set_value("May I return unused things?").run()
    drawn = shown(page)
    assert "You answer customers of Linden &amp; Lark." in drawn
    assert "[1] Returns · Refunds\nAnything unused &lt;b&gt;may&lt;/b&gt; be returned" in drawn
    assert "Question: May I return unused things?" in drawn
    assert not page.exception and not page.error


def test_an_edit_is_seen_filled_and_compared_before_it_is_saved(engine: sa.Engine, page: AppTest) -> None:
    edited(page, WARM)
    drawn = shown(page)
    assert "You warmly answer customers of Linden &amp; Lark." in drawn
    assert '<div class="fd-diff fd-removed">− You answer customers of {company}.</div>' in drawn
    assert '<div class="fd-diff fd-added">+ You warmly answer customers of {company}.</div>' in drawn
    assert prompts.load("answer", engine) == SHIPPED


def test_an_edit_that_cannot_work_says_why_and_cannot_be_saved(engine: sa.Engine, page: AppTest) -> None:
    edited(page, SHIPPED.content.replace("{question}", "?"))
    assert r"\{question\} is missing" in page.error[0].value
    assert page.button(key="prompt-save-use").disabled and page.button(key="prompt-save").disabled


def test_a_saved_edit_is_used_and_one_click_goes_back(engine: sa.Engine, page: AppTest) -> None:
    edited(page, WARM)
    page.text_input(key="prompt-note-answer").set_value("warmer")
    page.button(key="prompt-save-use").click().run()
    assert prompts.load("answer", engine).content == WARM
    assert "by staff" in shown(page) and "warmer" in shown(page)
    page.button(key="prompt-back").click().run()
    assert prompts.load("answer", engine) == SHIPPED
    assert page.text_area(key="draft-answer").value == SHIPPED.content


def test_an_edit_can_wait_and_be_used_later(engine: sa.Engine, page: AppTest) -> None:
    edited(page, WARM)
    page.button(key="prompt-save").click().run()
    assert prompts.load("answer", engine) == SHIPPED
    version = prompts.read("answer", WARM).version
    page.button(key=f"use-{version}").click().run()
    assert prompts.load("answer", engine).version == version
    page.button(key="prompt-shipped").click().run()
    assert prompts.load("answer", engine) == SHIPPED


def test_a_draft_waits_while_another_prompt_is_looked_at(page: AppTest) -> None:
    edited(page, WARM)
    page.selectbox(key="prompt-name").set_value("abstain").run()
    assert "Please ask our team." in shown(page)
    page.selectbox(key="prompt-name").set_value("answer").run()
    assert page.text_area(key="draft-answer").value == WARM
    page.button(key="prompt-discard").click().run()
    assert page.text_area(key="draft-answer").value == SHIPPED.content


def test_an_edit_can_start_from_the_variant_that_thinks_first(page: AppTest) -> None:
    page.button(key="prompt-start-answer_reasoned").click().run()
    assert page.text_area(key="draft-answer").value == prompts.shipped("answer_reasoned").content
    assert any("never shown to anybody" in caption.value for caption in page.caption)


def test_every_prompt_can_be_looked_at(page: AppTest) -> None:
    for name in prompts.names():
        if not prompts.shipped(name).variant:
            page.selectbox(key="prompt-name").set_value(name).run()
            assert page.text_area(key=f"draft-{name}").value == prompts.shipped(name).content
            assert not page.exception and not page.error, name


def test_markup_in_a_prompt_stays_text(page: AppTest) -> None:
    edited(page, SHIPPED.content.replace("Use only", "<img src=x onerror=y> Use only"))
    assert "<img" not in shown(page) and "&lt;img src=x" in shown(page)


def test_who_has_logged_out_meanwhile_changes_nothing(engine: sa.Engine, page: AppTest) -> None:
    """The page still stands in the browser when its session has ended."""
    edited(page, WARM)
    with db.writing(engine) as connection:
        connection.execute(sa.delete(db.staff_sessions))
    page.button(key="prompt-save-use").click().run()
    assert prompts.load("answer", engine) == SHIPPED


def test_without_the_model_a_trial_says_so_in_one_sentence(page: AppTest) -> None:
    edited(page, WARM)
    page.text_input(key="prompt-question").set_value("May I return unused things?").run()
    page.button(key="prompt-try").click().run()
    (said,) = page.error
    assert "does not answer" in said.value


def test_a_diff_marks_sentences_and_what_is_next_to_them_and_escapes_them() -> None:
    assert diff("One. Two. Three. Four. Five.", "One. Two. <3>. Four. Five.") == (
        '<div class="fd-diff">  …</div>'
        '<div class="fd-diff">  Two.</div>'
        '<div class="fd-diff fd-removed">− Three.</div>'
        '<div class="fd-diff fd-added">+ &lt;3&gt;.</div>'
        '<div class="fd-diff">  Four.</div>'
        '<div class="fd-diff">  …</div>'
    )
