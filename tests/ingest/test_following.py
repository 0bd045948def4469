"""`frontdesk ingest`: what is copied, what is refused, and when it is done."""

import threading
from pathlib import Path

import pytest

from bot import documents
from bot.desk import Desk
from ingest import following, watch
from tests.ingest.given_inbox import FERRY, drop, work_off


def test_a_folder_keeps_its_shape_and_what_is_said_about_it(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "island").mkdir()
    (tmp_path / "island" / "ferries.md").write_text(FERRY)
    (tmp_path / "island" / ".meta.yaml").write_text("owner: Harbour master\n")
    (tmp_path / "island" / "draft.md.tmp").write_text("not yet")
    files = following.copy_in(desk, [tmp_path / "island"])
    assert [file.path for file in files] == ["ferries.md"]
    watch.rescan(desk)
    assert documents.find(desk.database, "ferries.md").meta.owner == "Harbour master"


def test_files_that_cannot_be_taken_are_said_and_the_others_go_on(desk: Desk, tmp_path: Path) -> None:
    huge, draft, good = tmp_path / "huge.txt", tmp_path / "draft.tmp", tmp_path / "good.md"
    with huge.open("wb") as sparse:
        sparse.truncate(desk.settings.max_file_megabytes * 1_000_000 + 1)
    draft.write_text("half")
    good.write_text(FERRY)
    taken = {file.path: (file.state, file.error) for file in following.copy_in(desk, [huge, draft, good])}
    assert taken["good.md"] == ("queued", None)
    assert taken["huge.txt"][0] == "failed" and "larger than 50 MB" in str(taken["huge.txt"][1])
    assert taken["draft.tmp"][0] == "failed" and "rename it" in str(taken["draft.tmp"][1])
    assert sorted(place.name for place in desk.settings.inbox_dir.iterdir()) == ["good.md"]


def test_a_changed_file_is_not_done_while_its_old_version_answers(desk: Desk, tmp_path: Path) -> None:
    drop(desk, "ferries.md", FERRY)
    watch.rescan(desk)
    work_off(desk)
    changed = tmp_path / "ferries.md"
    changed.write_text(FERRY.replace("7:45", "8:15"))
    files = following.copy_in(desk, [changed])
    late = threading.Timer(0.5, lambda: (watch.rescan(desk), work_off(desk)))  # the watcher comes after the question
    late.start()
    (done,) = following.until_done(desk, files, quiet=True)
    assert done.state == "indexed" and done.ms > 500
    assert "8:15" in " ".join(chunk.text for chunk in documents.chunks_of(desk.database, 2))


def test_a_watcher_that_does_not_run_is_said(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ferries.md").write_text(FERRY)
    monkeypatch.setattr(following, "UNSEEN_SECONDS", 0)
    with pytest.raises(following.NotSeen, match="frontdesk up"):
        following.until_done(desk, following.copy_in(desk, [tmp_path / "ferries.md"]), quiet=True)
