"""The list of documents: what each row says, and how the list is narrowed down."""

import time
from collections.abc import Callable
from datetime import datetime

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot import documents
from bot.records import Meta
from tests.ui.given_pages import fail, index, shown, wait

Draw = Callable[[str], AppTest]

DAY = 86_400


def noon(day: str) -> float:
    return datetime.fromisoformat(f"{day}T12:00").timestamp()


@pytest.fixture
def on_the_1st_of_december(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.library.time.time", lambda: noon("2026-12-01"))


def badges(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown if "-badge[" in element.value)


def test_documents_are_listed_in_plain_words(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine, title="Returns <b>now</b>")
    page = staff_page("documents").run()
    drawn = shown(page)
    assert "Returns &lt;b&gt;now&lt;/b&gt;" in drawn
    assert "returns.md" in drawn and "3 pages · 1 piece · 1 kB · answerable after" in drawn
    assert "Answerable" in badges(page)


def test_hostile_names_are_drawn_as_they_are(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine, "<script>/x\u202egpj.exe", "<img src=x onerror=alert(1)>", notes=("See ![x](https://evil.example).",))
    page = staff_page("documents").run()
    drawn = shown(page)
    assert "<script>" not in drawn and "<img" not in drawn and "\u202e" not in drawn
    assert "&lt;script&gt;/x\ufffdgpj.exe" in drawn
    assert not any("![" in element.value or "://" in element.value for element in [*page.caption, *page.markdown])
    assert not page.exception and not page.error


def test_documents_are_found_by_title_and_file_name(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine, "a.md", "Tents")
    index(engine, "b.md", "Stoves", "Never light a stove in a tent.")
    page = staff_page("documents").run()
    page.text_input(key="find-document").set_value("TENTS").run()
    assert "Tents" in shown(page) and "Stoves" not in shown(page)
    page.text_input(key="find-document").set_value("b.md").run()
    assert "Stoves" in shown(page) and "Tents" not in shown(page)
    page.text_input(key="find-document").set_value("nothing like it").run()
    assert "No document is like that" in page.info[0].value


def test_the_filter_counts_and_shows_documents_by_state(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine, "good.md", "Good")
    fail(engine, "bad.pdf", "'bad.pdf' holds no text.")
    wait(engine, "new.md")
    page = staff_page("documents").run()
    filters = page.button_group(key="document-filter")
    assert [option.content for option in filters.proto.options] == [
        "All 3",
        "Answerable 1",
        "On the way 1",
        "With a problem 1",
    ]
    for name, path in {"Answerable": "good.md", "On the way": "new.md", "With a problem": "bad.pdf"}.items():
        page.button_group(key="document-filter").set_value(name).run()
        paths = {other for other in ("good.md", "bad.pdf", "new.md") if f">{other}<" in shown(page)}
        assert paths == {path}


def test_a_folder_narrows_the_list_down(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine, "hr/policies/leave.md", "Leave")
    index(engine, "tents.md", "Tents", "Tents are warm.")
    page = staff_page("documents").run()
    assert page.selectbox(key="folder-filter").options == ["hr", "hr/policies"]
    page.selectbox(key="folder-filter").set_value("hr").run()
    assert "Leave" in shown(page) and "Tents" not in shown(page)


def test_without_folders_there_is_no_folder_to_choose(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine)
    assert "folder-filter" not in {choice.key for choice in staff_page("documents").run().selectbox}


def test_more_documents_are_shown_when_asked_for(
    engine: sa.Engine, staff_page: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.library.ROWS_A_PAGE", 2)
    for number in range(5):
        index(engine, f"{number}.md", f"Title {number}", f"Text {number}.")
    page = staff_page("documents").run()
    assert shown(page).count("Title ") == 2
    page.button(key="more-documents").click().run()
    assert shown(page).count("Title ") == 4
    page.button(key="more-documents").click().run()
    assert shown(page).count("Title ") == 5
    assert "more-documents" not in {button.key for button in page.button}
    page.text_input(key="find-document").set_value("title").run()
    assert shown(page).count("Title ") == 2


def test_a_failed_document_says_why_and_can_be_retried(engine: sa.Engine, staff_page: Draw) -> None:
    fail(engine, "scan.pdf", "'scan.pdf' holds no text.")
    page = staff_page("documents").run()
    assert "holds no text" in page.error[0].value
    assert "retry-all" not in {button.key for button in page.button}
    number = documents.find(engine, "scan.pdf").document_id
    page.button(key=f"retry-{number}").click().run()
    assert documents.find(engine, "scan.pdf").state == "queued"
    assert not page.error


def test_all_failed_documents_can_be_retried_at_once(engine: sa.Engine, staff_page: Draw) -> None:
    fail(engine, "a.pdf", "'a.pdf' holds no text.")
    fail(engine, "b.pdf", "'b.pdf' holds no text.")
    page = staff_page("documents").run()
    page.button(key="retry-all").click().run()
    assert documents.count_by_state(engine) == {"queued": 2}
    assert not page.error


def test_the_promise_of_freshness_is_shown(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine, changed_at=time.time() - 4)
    page = staff_page("documents").run()
    (line,) = [caption.value for caption in page.caption if "last 24 hours" in caption.value]
    assert line.startswith("Answerable after 4.") and line.endswith("· 1 change in the last 24 hours")


@pytest.mark.parametrize(
    ("meta", "badge", "said"),
    [
        (Meta("Maria", noon("2026-12-10"), noon("2027-02-01")), "Not valid yet", "answers from 10 Dec 2026 until"),
        (Meta("", None, noon("2026-11-01")), "Expired", "Expired: it answered until 1 Nov 2026"),
        (Meta("", noon("2026-11-01"), noon("2027-02-01")), "Answerable", "Answers since 1 Nov 2026 until 1 Feb 2027"),
        (Meta("", None, datetime(2027, 2, 1).timestamp()), "Answerable", "Answers until 31 Jan 2027"),
        (Meta("Maria Lind"), "Answerable", "Owner: Maria Lind"),
    ],
)
def test_a_row_says_whose_a_document_is_and_when_it_answers(
    engine: sa.Engine, staff_page: Draw, on_the_1st_of_december: None, meta: Meta, badge: str, said: str
) -> None:
    index(engine, meta=meta)
    page = staff_page("documents").run()
    assert badge in badges(page)
    assert said in shown(page)


def test_a_note_for_the_owner_is_shown(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine, notes=("Hidden text was left out: white on white.",))
    page = staff_page("documents").run()
    assert any("Hidden text was left out" in caption.value for caption in page.caption)
