"""What a content owner can do."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from given_pages import answer, fail, index, shown
from streamlit.testing.v1 import AppTest

from bot import documents, feedback, inbox
from bot.errors import NotAllowed
from bot.settings import load_settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "inbox"
    place.mkdir()
    return place


def test_documents_are_listed_in_plain_words(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    index(engine, title="Returns <b>now</b>")
    drawn = shown(staff_page("documents").run())
    assert "Returns &lt;b&gt;now&lt;/b&gt;" in drawn
    assert "1 document · 1 answerable" in drawn
    assert "3 pages · 1 piece" in drawn and "answerable after" in drawn


def test_a_failed_document_says_why_and_can_be_retried(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    fail(engine, "scan.pdf", "'scan.pdf' holds no text.")
    page = staff_page("documents").run()
    assert "holds no text" in page.error[0].value
    number = documents.find(engine, "scan.pdf").document_id
    page.button(key=f"retry-{number}").click().run()
    assert documents.find(engine, "scan.pdf").state == "queued"
    assert not page.error


def test_documents_are_found_by_title_and_file_name(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    index(engine, "a.md", "Tents")
    index(engine, "b.md", "Stoves", "Never light a stove in a tent.")
    page = staff_page("documents").run()
    page.text_input(key="find-document").set_value("TENTS").run()
    assert "Tents" in shown(page) and "Stoves" not in shown(page)
    page.text_input(key="find-document").set_value("nothing like it").run()
    assert "No document has that" in page.info[0].value


def test_a_look_inside_shows_the_pieces(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    index(engine)
    page = staff_page("documents").run()
    page.button(key=f"preview-{documents.find(engine, 'returns.md').document_id}").click().run()
    assert "Anything unused may be returned" in shown(page)


def test_a_document_is_removed_only_after_it_was_confirmed(
    engine: sa.Engine, folder: Path, staff_page: Callable[[str], AppTest]
) -> None:
    (folder / "returns.md").write_text("text")
    index(engine)
    page = staff_page("documents").run()
    page.button(key=f"remove-{documents.find(engine, 'returns.md').document_id}").click().run()
    assert (folder / "returns.md").exists()
    page.button(key="confirm-remove").click().run()
    assert not (folder / "returns.md").exists()
    assert documents.listing(engine) == []


def test_removing_the_sample_company_leaves_everything_else(
    engine: sa.Engine, folder: Path, staff_page: Callable[[str], AppTest]
) -> None:
    (folder / "sample").mkdir()
    (folder / "sample" / "gifts.md").write_text("text")
    (folder / "own.md").write_text("text")
    index(engine, "own.md")
    passage = index(engine, "sample/gifts.md", "Gifts")
    feedback.rate(engine, answer(passage), 1)
    feedback.add_approved(engine, "sample-1", "question", "answer", [passage], "rewrite", "sample")
    page = staff_page("documents").run()
    page.button(key="remove-sample").click().run()
    page.button(key="confirm-remove-sample").click().run()
    assert [document.path for document in documents.listing(engine)] == ["own.md"]
    assert [row.answer_id for row in feedback.listing(engine)] == ["a1"]
    assert [place.name for place in folder.iterdir()] == ["own.md"]


def test_nothing_outside_the_inbox_can_be_withdrawn(engine: sa.Engine, folder: Path) -> None:
    outside = folder.parent / "precious.txt"
    outside.write_text("text")
    with pytest.raises(NotAllowed):
        inbox.withdraw(load_settings(), engine, "../precious.txt")
    assert outside.exists()


def test_a_document_whose_file_is_gone_already_can_still_be_withdrawn(engine: sa.Engine, folder: Path) -> None:
    index(engine)
    inbox.withdraw(load_settings(), engine, "returns.md")
    assert documents.listing(engine) == []
