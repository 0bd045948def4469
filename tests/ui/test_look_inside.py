"""The look inside a document: its pieces, its way, and what became of its earlier text."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot import documents, ledger
from tests.ui.given_pages import index, shown

Draw = Callable[[str], AppTest]


def opened(engine: sa.Engine, page: AppTest, path: str = "returns.md") -> AppTest:
    page.run()
    return page.button(key=f"preview-{documents.find(engine, path).document_id}").click().run()


def test_a_look_inside_shows_the_pieces_as_they_are(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine, text="Anything <b>unused</b> may be returned.")
    page = opened(engine, staff_page("documents"))
    assert "Anything &lt;b&gt;unused&lt;/b&gt; may be returned." in shown(page)
    assert "Piece 1 · Refunds · page 2" in shown(page)
    assert not page.pagination


def test_all_pieces_can_be_paged_through(engine: sa.Engine, staff_page: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.preview.PIECES_A_PAGE", 2)
    index(engine, pieces=5)
    page = opened(engine, staff_page("documents"))
    assert "1 to 2 of 5 pieces" in [caption.value for caption in page.caption]
    assert "Piece number 2." in shown(page) and "Piece number 3." not in shown(page)
    page.pagination[0].set_value(3).run()
    assert "5 to 5 of 5 pieces" in [caption.value for caption in page.caption]
    assert "Piece number 5." in shown(page) and "Piece number 4." not in shown(page)


def test_a_look_inside_shows_how_long_each_step_took(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine)
    drawn = shown(opened(engine, staff_page("documents")))
    assert "Waited" in drawn and "20 ms" in drawn
    assert "Read" in drawn and "5 ms" in drawn
    assert "Stored" not in drawn


def test_a_look_inside_shows_that_deleted_text_is_gone(engine: sa.Engine, staff_page: Draw) -> None:
    before = index(engine, text="The old text.")
    index(engine, text="The new text.")
    ledger.erase(engine, [before.version_id], "gone")
    page = opened(engine, staff_page("documents"))
    assert "Deleted earlier text · 1 version" in [expander.label for expander in page.expander]
    assert any("no search finds it" in caption.value for caption in page.caption)


def test_a_document_that_went_meanwhile_is_an_error_in_words(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine)
    page = staff_page("documents").run()
    page.session_state["opened"] = ("preview", "never.md")
    page.run()
    assert "There is no document 'never" in page.error[0].value.replace("\\", "")
    assert not page.exception
