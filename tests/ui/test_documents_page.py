"""What a content owner can do: upload, see alarms and answer the page's questions, take documents away."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot import db, documents, feedback, inbox, indexes, ledger, notices
from bot.errors import NotAllowed
from bot.settings import load_settings
from tests.ui.given_pages import answer, index, shown, wait
from ui import words

Draw = Callable[[str], AppTest]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "inbox"
    place.mkdir()
    return place


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def test_an_empty_page_says_how_to_begin(engine: sa.Engine, staff_page: Draw) -> None:
    page = staff_page("documents").run()
    assert "There are no documents yet" in page.info[0].value
    assert "Drop the first one above" in page.info[0].value
    assert not page.error and not page.exception


def test_uploads_land_in_the_inbox_under_a_safe_name(engine: sa.Engine, folder: Path, staff_page: Draw) -> None:
    page = staff_page("documents").run()
    page.file_uploader(key="uploads-0").set_value([("a\u202eb.md", b"one", ""), ("c.md", b"two", "")]).run()
    assert sorted(place.name for place in folder.iterdir()) == ["ab.md", "c.md"]
    assert "2 files received" in page.toast[0].value
    assert page.file_uploader(key="uploads-1").value == []


def test_uploads_go_into_the_folder_that_was_chosen(engine: sa.Engine, folder: Path, staff_page: Draw) -> None:
    index(engine, "hr/policies/leave.md")
    page = staff_page("documents").run()
    page.selectbox(key="upload-folder").set_value("hr/policies")
    page.file_uploader(key="uploads-0").set_value([("travel.md", b"one", "")]).run()
    assert (folder / "hr" / "policies" / "travel.md").read_text() == "one"


def test_an_upload_that_is_refused_says_why_and_the_others_go_on(
    engine: sa.Engine, folder: Path, staff_page: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTDESK_MAX_FILE_MEGABYTES", "1")
    page = staff_page("documents").run()
    files = [("huge.md", b"x" * 1_000_001, ""), ("small.md", b"two", "")]
    page.file_uploader(key="uploads-0").set_value(files).run()
    assert [place.name for place in folder.iterdir()] == ["small.md"]
    assert "larger than 1 MB" in page.warning[0].value
    assert "1 file received" in page.toast[0].value


def test_while_the_inbox_is_missing_the_page_says_so_and_takes_no_upload(engine: sa.Engine, staff_page: Draw) -> None:
    page = staff_page("documents").run()
    notices.put(engine, notices.INBOX_MISSING, "The folder inbox is missing.")
    page.file_uploader(key="uploads-0").set_value([("a.md", b"one", "")]).run()
    assert "is missing" in page.error[0].value
    assert page.file_uploader(key="uploads-0").disabled
    assert not load_settings().inbox_dir.exists()


def test_a_mass_deletion_waits_until_a_person_has_confirmed_it(
    engine: sa.Engine, folder: Path, staff_page: Draw
) -> None:
    for name in ("a.md", "b.md", "c.md"):
        index(engine, name, name, f"Text of {name}.")
    (folder / "c.md").write_text("still there")
    notices.put(engine, notices.MASS_DELETION, "2 of 3 files have vanished from the inbox (a.md, b.md).")
    page = staff_page("documents").run()
    assert "2 of 3 files have vanished" in page.warning[0].value.replace("\\", "")
    assert "bring the files back" in captions(page)
    page.button(key="confirm-mass-deletion").click().run()
    assert len(documents.listing(engine)) == 3
    assert page.button(key="confirm-missing").label == "Remove 2 documents"
    page.button(key="confirm-missing").click().run()
    assert [document.path for document in documents.listing(engine)] == ["c.md"]
    assert not page.warning and "2 documents removed" in page.toast[0].value


def test_a_mass_deletion_whose_files_came_back_removes_nothing(
    engine: sa.Engine, folder: Path, staff_page: Draw
) -> None:
    index(engine, "a.md")
    (folder / "a.md").write_text("text")
    notices.put(engine, notices.MASS_DELETION, "Many files have vanished.")
    page = staff_page("documents").run()
    page.button(key="confirm-mass-deletion").click().run()
    assert "There is nothing to do" in shown(page)
    assert "confirm-missing" not in {button.key for button in page.button}


def test_a_deletion_that_is_not_proven_raises_an_alarm(engine: sa.Engine, staff_page: Draw) -> None:
    passage = index(engine, "![x](https://evil.example).md")
    ledger.record_proof(engine, [passage.version_id], "A search for its text still finds it.")
    page = staff_page("documents").run()
    assert "A search for its text still finds it" in page.error[0].value
    assert "`frontdesk verify --repair`" in page.error[0].value
    assert "![" not in page.error[0].value and "https://" not in page.error[0].value
    ledger.record_proof(engine, [passage.version_id], "gone")
    assert not page.run().error


def test_work_on_the_way_shows_a_bar(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine, "done.md")
    wait(engine, "a.md")
    wait(engine, "b.md")
    page = staff_page("documents").run()
    assert page.get("progress")[0].proto.text.startswith("2 documents on the way · ")


def test_the_bar_shows_how_much_is_done_how_fast_and_how_long_it_will_take() -> None:
    def draw(waiting: int) -> None:
        from bot.documents import Progress
        from ui import attention

        attention.draw_work(Progress(waiting, 38.2, waiting / 38.2), left=0, whole=0)

    page = AppTest.from_function(draw, args=(5_000,)).run()
    page.args = (3_796,)
    bar = page.run().get("progress")[0].proto
    assert bar.text == "1,204 of 5,000 documents · 38 a second · about 2 min left"
    assert bar.value == 24
    page.args = (0,)
    assert not page.run().get("progress")


def test_without_work_there_is_no_bar(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine)
    assert not staff_page("documents").run().get("progress")


def test_a_new_index_in_the_making_shows_how_far_it_is(engine: sa.Engine, staff_page: Draw) -> None:
    index(engine, "a.md")
    index(engine, "b.md", text="Something else.")
    with db.writing(engine) as connection:
        indexes.begin(connection, load_settings())
    assert "new index is being built" in staff_page("documents").run().get("progress")[0].proto.text


def test_a_document_is_removed_only_after_it_was_confirmed(engine: sa.Engine, folder: Path, staff_page: Draw) -> None:
    (folder / "returns.md").write_text("text")
    index(engine)
    page = staff_page("documents").run()
    page.button(key=f"remove-{documents.find(engine, 'returns.md').document_id}").click().run()
    assert (folder / "returns.md").exists()
    page.button(key="confirm-remove").click().run()
    assert not (folder / "returns.md").exists()
    assert documents.listing(engine) == []


def test_removing_the_sample_company_leaves_everything_else(engine: sa.Engine, folder: Path, staff_page: Draw) -> None:
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


def test_paces_and_long_times_read_as_a_person_would_say_them() -> None:
    assert [words.rate(pace) for pace in (1_204, 38.2, 0.2)] == ["1,204 a second", "38 a second", "12 a minute"]
    assert [words.time_left(seconds) for seconds in (3, 42, 130, 10_800)] == [
        "a few seconds left",
        "about 40 s left",
        "about 2 min left",
        "about 3 hours left",
    ]
    assert [words.duration(1_000 * seconds) for seconds in (7_200, 260_000)] == ["2 hours", "3 days"]
    assert words.name("a\u202egpj.exe") == "a\ufffdgpj.exe"
