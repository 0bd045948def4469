"""What a reviewer can do."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from langchain_core.embeddings import Embeddings
from streamlit.testing.v1 import AppTest

from bot import db, feedback, gaps, model, pins
from bot.settings import Settings
from tests.ui.given_pages import answer, index, shown, told


@pytest.fixture
def row(engine: sa.Engine) -> int:
    """An answer that a customer rated."""
    given = answer(index(engine), "Anything unused may be returned within 45 days [1].")
    return feedback.rate(engine, given, 0, "Too long", "<img src=x> Be brief.")


def decide(page: AppTest, row: int, button: str, rewrite: str | None = None) -> AppTest:
    if rewrite is not None:
        page.text_area(key=f"rewrite-{row}").set_value(rewrite)
    return page.button(key=f"{button}-{row}").click().run()


def test_an_item_shows_what_a_reviewer_needs(row: int, staff_page: Callable[[str], AppTest]) -> None:
    page = staff_page("review").run()
    drawn = shown(page)
    assert "How long do I have?" in drawn and "Anything unused may be returned within 45 days" in drawn
    assert "&lt;img src=x&gt; Be brief." in drawn and "<img" not in drawn
    assert "Too long" in page.caption[0].value and r"style\-v1" in page.caption[0].value
    assert page.expander[0].label == "Evidence · 1 passage"
    assert page.expander[1].label.startswith("House style · ")
    assert "Greeting: It begins with none of “happy to help”, which is wanted." in drawn
    assert "As it should be: closing, form, phrases to avoid, reading level, language" in drawn
    assert page.text_area(key=f"rewrite-{row}").value == "Anything unused may be returned within 45 days [1]."


def test_an_answer_is_approved_as_it_is(engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest]) -> None:
    page = decide(staff_page("review").run(), row, "approve")
    assert feedback.find(engine, row).state == "approved"
    assert feedback.count_new(engine) == 1
    assert "Nothing waits for review" in page.info[0].value


def test_a_rewrite_in_another_tone_is_approved(
    engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest]
) -> None:
    rewrite = "Happy to help: anything unused may be returned within 45 days [1]."
    decide(staff_page("review").run(), row, "approve-rewrite", rewrite)
    found = feedback.find(engine, row)
    assert (found.state, found.rewrite, found.reviewer) == ("approved", rewrite, "staff")


@pytest.mark.parametrize(
    "rewrite",
    [
        "Anything unused may be returned within 60 days [1].",
        "Anything unused may be returned within 45 days to Mr Smith in Glasgow [1].",
    ],
)
def test_a_rewrite_with_an_unsupported_fact_is_refused_and_the_sentence_shown(
    engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest], rewrite: str
) -> None:
    page = decide(staff_page("review").run(), row, "approve-rewrite", rewrite)
    assert "the evidence does not say this" in page.error[0].value
    assert rewrite.removesuffix(" [1].") in shown(page)
    assert feedback.find(engine, row).state == "pending"


def test_an_empty_rewrite_is_refused(engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest]) -> None:
    page = decide(staff_page("review").run(), row, "approve-rewrite", "  ")
    assert "empty" in page.warning[0].value
    assert feedback.find(engine, row).state == "pending"


def test_a_rejection_keeps_its_note_and_can_be_undone(
    engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest]
) -> None:
    page = staff_page("review").run()
    page.text_input(key=f"note-{row}").set_value("Too vague.")
    decide(page, row, "reject")
    assert feedback.find(engine, row).note == "Too vague."
    page.button_group(key="review-filter").set_value("Rejected").run()
    assert "Note: Too vague." in shown(page)
    page.button(key=f"undo-{row}").click().run()
    assert feedback.find(engine, row).state == "pending"


def test_a_row_that_was_learned_from_says_where_and_stays(
    engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest]
) -> None:
    feedback.approve(engine, row, "staff")
    with db.writing(engine) as connection:
        feedback.mark_trained(connection, [row], "style-v2")
    page = staff_page("review").run()
    page.button_group(key="review-filter").set_value("Approved").run()
    assert any(r"in style\-v2" in element.value for element in page.markdown)
    with pytest.raises(KeyError):
        page.button(key=f"undo-{row}")


class AllAlike(Embeddings):
    """Stands for the embedding model, to which everything is the same here."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[1.0, 0.0] for _ in texts]

    def embed_query(self, text: str) -> list[float]:
        return [1.0, 0.0]


@pytest.fixture
def all_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedding model is one to which everything is the same."""

    def embeddings(settings: Settings, *, model: str | None = None, background: bool = False) -> Embeddings:
        return AllAlike()

    monkeypatch.setattr(model, "embeddings", embeddings)


@pytest.fixture
def approved(engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest], all_alike: None) -> AppTest:
    """The approved answers, one of which there is."""
    feedback.approve(engine, row, "staff")
    page = staff_page("review").run()
    return page.button_group(key="review-filter").set_value("Approved").run()


def captions(page: AppTest) -> str:
    return " ".join(caption.value for caption in page.caption)


def test_an_approved_answer_is_pinned_to_the_questions_that_a_reviewer_names(
    engine: sa.Engine, row: int, approved: AppTest
) -> None:
    approved.text_area(key=f"pin-questions-{row}").set_value("How long is it?\n\nUntil when may I return it?")
    approved.button(key=f"pin-{row}").click().run()
    assert [pin.question for pin in pins.listing(engine)] == ["Until when may I return it?", "How long is it?"]
    assert {(pin.author, pin.text) for pin in pins.listing(engine)} == {
        ("staff", "Anything unused may be returned within 45 days [1].")
    }
    assert "How long is it" in captions(approved)
    assert any("Pinned" in element.value for element in approved.markdown)


def test_a_pinned_answer_is_unpinned(engine: sa.Engine, row: int, approved: AppTest) -> None:
    approved.button(key=f"pin-{row}").click().run()
    (pin,) = pins.listing(engine)
    approved.button(key=f"unpin-{pin.pin_id}").click().run()
    assert pins.listing(engine)[0].voided
    assert r"Not pinned any more. Unpinned by staff\." in captions(approved)


def test_a_pin_that_a_changed_document_has_voided_says_so(engine: sa.Engine, row: int, approved: AppTest) -> None:
    approved.button(key=f"pin-{row}").click().run()
    index(engine, text="Anything unused may be returned within 30 days.")
    assert r"“returns\.md” has changed" in captions(approved.run())


def test_an_answer_that_the_documents_no_longer_support_is_not_pinned(
    engine: sa.Engine, row: int, approved: AppTest
) -> None:
    index(engine, text="Anything unused may be returned within 30 days.")
    approved.button(key=f"pin-{row}").click().run()
    assert "no document says" in approved.error[0].value
    assert pins.listing(engine) == []


def test_undoing_an_approval_unpins_the_answer(engine: sa.Engine, row: int, approved: AppTest) -> None:
    approved.button(key=f"pin-{row}").click().run()
    approved.button(key=f"undo-{row}").click().run()
    assert [pin.voided for pin in pins.listing(engine)] == [True]


# several reviewers, several rows


def as_reviewer(page: AppTest, name: str) -> AppTest:
    page.session_state["reviewer"] = name
    return page


@pytest.fixture
def rows(engine: sa.Engine) -> list[int]:
    """Three answers that wait, of which the last says what no passage says."""
    passage = index(engine)
    texts = ["Anything unused may be returned within 45 days [1].", "The refund takes 5 working days [1]."]
    given = [answer(passage, text, f"a{number}") for number, text in enumerate([*texts, "It takes 60 days [1]."])]
    return [feedback.rate(engine, one, number % 2) for number, one in enumerate(given)]


def states(engine: sa.Engine, rows: list[int]) -> list[str]:
    return [feedback.find(engine, row).state for row in rows]


def test_what_was_changed_is_shown(engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest]) -> None:
    rewrite = "Happy to help: anything unused may be returned within 45 days [1]."
    page = decide(staff_page("review").run(), row, "approve-rewrite", rewrite)
    page.button_group(key="review-filter").set_value("Approved").run()
    assert "<del>Anything </del><ins>Happy to help: anything </ins>unused" in shown(page)
    assert any("Style" in element.value for element in page.markdown)


def test_the_rules_suggest_and_the_keys_decide_the_row_on_top(
    rows: list[int], staff_page: Callable[[str], AppTest]
) -> None:
    page = staff_page("review").run()
    assert "Suggested: Wrong fact" in page.caption[1].value
    assert page.button(key=f"approve-{rows[2]}").proto.shortcut == "a"
    assert page.button(key=f"approve-{rows[1]}").proto.shortcut == ""


def test_several_rows_are_approved_at_once_and_what_no_passage_says_waits_on(
    engine: sa.Engine, rows: list[int], staff_page: Callable[[str], AppTest]
) -> None:
    page = staff_page("review").run()
    for row in rows:
        page.checkbox(key=f"pick-{row}").check()
    page.run().button(key="batch-approve").click().run()
    assert states(engine, rows) == ["approved", "approved", "pending"]
    assert "2 rows approved" in captions(page) and "1 row left waiting" in captions(page)
    # and with one click all of it is undone
    page.button(key="undo-last").click().run()
    assert states(engine, rows) == ["pending"] * 3


def test_rows_are_assigned_and_found_by_whom_they_were_assigned_to(
    engine: sa.Engine, rows: list[int], staff_page: Callable[[str], AppTest]
) -> None:
    page = as_reviewer(staff_page("review"), "bob").run()
    page.checkbox(key=f"pick-{rows[0]}").check().run()
    page.text_input(key="batch-assignee").set_value("bob")
    page.button(key="batch-assign").click().run()
    assert feedback.find(engine, rows[0]).assignee == "bob"
    page.selectbox(key="filter-assignee").set_value("Me").run()
    assert [area.key for area in page.text_area] == [f"rewrite-{rows[0]}"]


def test_rows_are_found_by_rating_and_by_words(rows: list[int], staff_page: Callable[[str], AppTest]) -> None:
    page = staff_page("review").run()
    page.selectbox(key="filter-rating").set_value("Liked").run()
    assert [area.key for area in page.text_area] == [f"rewrite-{rows[1]}"]
    page.selectbox(key="filter-rating").set_value("Any")
    page.text_input(key="filter-words").set_value("60 DAYS").run()
    assert [area.key for area in page.text_area] == [f"rewrite-{rows[2]}"]
    page.text_input(key="filter-words").set_value("nothing like it").run()
    assert "Nothing fits" in page.info[0].value


def test_a_second_reviewer_who_disagrees_makes_a_row_disputed_and_a_third_decides(
    engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest]
) -> None:
    feedback.approve(engine, row, "ann")
    page = as_reviewer(staff_page("review"), "bob").run()
    page.button_group(key="review-filter").set_value("Approved").run()
    page.button(key=f"second-reject-{row}").click().run()
    assert feedback.find(engine, row).state == "disputed"
    page = as_reviewer(page, "cleo")
    page.button_group(key="review-filter").set_value("Disputed").run()
    assert "ann approved it" in captions(page) and "bob rejected it" in captions(page)
    page.button(key=f"second-approve-{row}").click().run()
    assert feedback.find(engine, row).state == "approved"


def test_the_one_who_decided_is_not_asked_for_a_second_opinion(
    engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest]
) -> None:
    page = as_reviewer(staff_page("review"), "ann").run()
    decide(page, row, "approve")
    page.button_group(key="review-filter").set_value("Approved").run()
    with pytest.raises(KeyError):
        page.button(key=f"second-reject-{row}")


def test_a_wrong_fact_is_shown_to_the_owner_of_the_document(
    engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest]
) -> None:
    page = staff_page("review").run()
    page.text_input(key=f"note-{row}").set_value("It is 30 days now.")
    decide(page, row, "wrong")
    found = feedback.find(engine, row)
    assert (found.state, found.tag) == ("rejected", "wrong fact")
    gaps_page = staff_page("gaps").run()
    assert "It is 30 days now." in shown(gaps_page) and r"returns\.md" in captions(gaps_page)
    gaps_page.button(key=f"wrong-done-{row}").click().run()
    assert feedback.reports(engine) == []


def test_what_is_missing_goes_to_the_gaps(
    engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest], all_alike: None
) -> None:
    told(engine, answer(index(engine, text="Anything unused may be returned. In 45 days."), answer_id="a1"))
    decide(staff_page("review").run(), row, "missing")
    assert (feedback.find(engine, row).tag, gaps.count_open(engine)) == ("missing", 1)


def test_a_reviewer_says_under_which_name_they_review(
    engine: sa.Engine, row: int, staff_page: Callable[[str], AppTest]
) -> None:
    page = staff_page("review").run()
    page.text_input(key="reviewer-name").set_value(" Maria  Lind ")
    page.button(key="save-reviewer-name").click().run()
    decide(page, row, "approve")
    assert feedback.find(engine, row).reviewer == "Maria Lind"
