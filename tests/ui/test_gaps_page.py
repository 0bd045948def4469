"""What the staff see of what is missing, and what they can do about it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot import conversations, gaps, handoffs, jobs
from bot.records import Meta, Nearby, Passage
from tests.ui.given_pages import answer, index, shown, told

PASSAGE = Passage("c1", 1, "returns.md", "Returns", "", None, "You have 45 days.", 1.0)
PARKING = [1.0, 0.0]
STUDENTS = [0.0, 1.0]


def gap(engine: sa.Engine, question: str, vector: Sequence[float] = PARKING, document: str = "") -> None:
    """A question that got no answer."""
    passage = replace(PASSAGE, document=document or "returns.md")
    near = (Nearby(document, "Visiting *us*", "Shops"),) if document else ()
    given = replace(answer(passage, "No.", question[:32], abstained=True), question=question, nearby=near)
    told(engine, given)
    gaps.record(engine, given, vector, "small")


def test_without_gaps_the_page_says_what_will_appear(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    page = staff_page("gaps").run()
    assert "appears here" in page.info[0].value
    assert [header.value for header in page.subheader] == ["Not in the documents"]


def test_a_gap_shows_how_often_by_whom_and_what_comes_closest(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    index(engine, "visiting.md", meta=Meta(owner="Maria [x](y)"))
    gap(engine, "Where can I park <b>?", document="visiting.md")
    gap(engine, "Where is your car park?", document="visiting.md")
    gap(engine, "Is there a student discount?", STUDENTS)
    page = staff_page("gaps").run()
    drawn = shown(page)
    assert "Where can I park &lt;b&gt;?" in drawn and "<b>" not in drawn
    assert "Visiting *us* · Shops" in drawn
    captions = " ".join(caption.value for caption in page.caption)
    assert r"Owner\: Maria \[x\]\(y\)" in captions.replace("\u2060", "") and "nobody yet" in captions
    assert "3 questions in 2 gaps" in captions
    assert drawn.index("park") < drawn.index("student")


def test_a_gap_is_asked_again_on_demand(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    gap(engine, "Where can I park?")
    (number,) = (one.gap_id for one in gaps.waiting(engine))
    page = staff_page("gaps").run()
    page.button(key=f"again-{number}").click().run()
    assert jobs.latest(engine, "gaps").state == "queued"  # type: ignore[union-attr]  # there is one
    assert page.button(key=f"again-{number}").disabled
    assert "being asked again" in " ".join(caption.value for caption in page.caption)


def test_a_gap_that_is_not_our_business_is_closed_by_a_person(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    gap(engine, "Who won the football?")
    (number,) = (one.gap_id for one in gaps.waiting(engine))
    page = staff_page("gaps").run()
    page.button(key=f"close-{number}").click().run()
    assert gaps.count_open(engine) == 0
    assert "said staff" in " ".join(caption.value for caption in page.caption)


def test_a_closed_gap_names_the_document_that_closed_it(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    gap(engine, "Where can I park?")
    (one,) = gaps.waiting(engine)
    conversations.keep(engine, answer(index(engine), "Behind the shop [1].", "closing"), None)
    gaps.close_with(engine, one, "parking.md", "closing")
    page = staff_page("gaps").run()
    assert r"Closed by parking\.md" in " ".join(caption.value for caption in page.caption)
    assert "Behind the shop" in shown(page)


def test_a_person_who_waits_is_shown_with_the_conversation_until_done(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    given = answer(index(engine), "I could not find that.", abstained=True)
    conversation_id = told(engine, given)
    number = handoffs.request(engine, given, conversation_id, "<i>ann@example.com</i>")
    page = staff_page("gaps").run()
    assert page.subheader[0].value == "People waiting for a person"
    drawn = shown(page)
    assert "&lt;i&gt;ann@example.com&lt;/i&gt;" in drawn and "<i>" not in drawn
    assert "Customer: How long do I have?\nFrontdesk: I could not find that." in drawn
    page.button(key=f"handoff-done-{number}").click().run()
    assert handoffs.listing(engine) == []
    assert handoffs.listing(engine, open_only=False)[0].done_by == "staff"


@pytest.mark.parametrize(("contact", "links"), [("our team", 0), ("help@example.com", 1)])
def test_a_conversation_is_forwarded_where_the_contact_is_an_address(
    engine: sa.Engine,
    staff_page: Callable[[str], AppTest],
    monkeypatch: pytest.MonkeyPatch,
    contact: str,
    links: int,
) -> None:
    monkeypatch.setenv("FRONTDESK_CONTACT", contact)
    given = answer(index(engine), "I could not find that.", abstained=True)
    handoffs.request(engine, given, told(engine, given), "me")
    page = staff_page("gaps").run()
    buttons = page.get("link_button")
    assert len(buttons) == links
    assert all(button.proto.url.startswith("mailto:help@example.com?") for button in buttons)


def test_the_insights_count_the_open_gaps_and_lead_to_them(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    assert staff_page("insights").run().info  # nobody has asked anything yet
    gap(engine, "Where can I park?")
    page = staff_page("insights").run()
    assert "1 question without an answer." in shown(page)
    assert page.button(key="to-gaps").label == "Look at the gaps"
