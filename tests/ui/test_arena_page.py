"""What a reviewer sees of a blind comparison, before the vote and after."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot import adapters, arena, db
from bot.records import Passage
from tests.ui.given_pages import answer, index, shown, told


@pytest.fixture
def page(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> AppTest:
    """The page with one version beside the base model, and one question from the chat."""
    with db.writing(engine) as connection:
        adapters.register(connection, "style-v1", "/x", base="b", meta={}, report={}, state="candidate")
    given = answer(index(engine))
    told(engine, given)
    return staff_page("arena")


def contest(engine: sa.Engine) -> int:
    passage = Passage("c1", 1, "other.md", "Other", "", None, "You have 45 days.", 1.0)
    plain, warm = answer(passage, "<b>45</b> days [1].", "l"), answer(passage, "Happy to help: 45 days [1].", "r")
    return arena.put(engine, "a1", ("style-v1", ""), (plain, warm), "staff").contest_id


def test_the_suggested_pair_is_chosen_at_first(page: AppTest) -> None:
    page.run()
    chosen = {page.selectbox(key=f"arena-{which}").value for which in ("first", "second")}
    assert chosen == {"", "style-v1"}
    assert "No vote yet." in [caption.value for caption in page.caption]


def test_without_a_question_from_the_chat_there_is_nothing_to_compare(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    with db.writing(engine) as connection:
        adapters.register(connection, "style-v1", "/x", base="b", meta={}, report={}, state="candidate")
    assert "No customer has asked anything yet" in staff_page("arena").run().info[0].value


def test_the_answers_have_no_names_until_there_is_a_vote(engine: sa.Engine, page: AppTest) -> None:
    contest(engine)
    page.run()
    everything = shown(page) + " ".join(one.value for one in [*page.caption, *page.markdown])
    assert "&lt;b&gt;45&lt;/b&gt; days" in everything and "Happy to help" in everything
    assert "style" not in everything and "ase model" not in everything
    page.button(key="arena-right").click().run()
    assert r"Left was style\-v1, right was Base model\." in page.success[0].value
    assert page.table[0].value["Version"].tolist() == ["Base model", r"style\-v1"]


def test_each_choice_is_kept(engine: sa.Engine, page: AppTest) -> None:
    for key, choice in (("left", "left"), ("right", "right"), ("equal", "equal"), ("both-bad", "both bad")):
        number = contest(engine)
        page.run()
        page.button(key=f"arena-{key}").click().run()
        assert arena.find(engine, number).choice == choice
    assert arena.count(engine) == 4


def test_a_comparison_can_be_skipped(engine: sa.Engine, page: AppTest) -> None:
    contest(engine)
    page.run()
    page.button(key="arena-skip").click().run()
    assert arena.count(engine) == 0 and arena.waiting(engine, "staff") is None
    assert page.button(key="arena-begin")


def test_a_model_that_does_not_answer_is_said_in_words(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODEL", "CHROMA"):
        monkeypatch.setenv(f"FRONTDESK_{name}_URL", "http://127.0.0.1:9")
    page.run()
    page.button(key="arena-begin").click().run()
    assert "does not answer" in page.error[0].value
