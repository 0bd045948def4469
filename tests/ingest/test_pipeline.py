"""A file's way in and a document's way out, on the real Chroma and the real embedding model."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from bot import db, documents, jobs, ledger, lexical, retrieve
from bot.desk import Desk, open_desk
from bot.knowledge import Collections
from bot.records import Job
from ingest import erasure, reconcile, watch
from tests.ingest.given_inbox import FERRY, FUNCTIONS, drop, found, work_off
from workers import running


@pytest.fixture
def ferry(desk: Desk) -> Path:
    place = drop(desk, "ferries.md", FERRY)
    watch.rescan(desk)
    work_off(desk)
    return place


def test_a_dropped_file_becomes_findable_with_its_heading(desk: Desk, ferry: Path) -> None:
    passages = retrieve.search(desk, "When does the boat to the island go?", 5)
    assert passages[0].document == "ferries.md"
    assert passages[0].title == "Ferries"
    assert "7:45" in passages[0].text
    (document,) = documents.listing(desk.database)
    assert (document.state, document.chunks, document.error) == ("indexed", 1, None)
    assert document.freshness_ms is not None


def test_an_unchanged_file_is_not_read_again(desk: Desk, ferry: Path) -> None:
    ferry.touch()
    watch.rescan(desk)
    assert jobs.count_by_state(desk.database) == {"done": 1}


def test_a_changed_file_answers_with_its_new_text_only(desk: Desk, ferry: Path) -> None:
    ferry.write_text(FERRY.replace("7:45", "8:15"))
    watch.rescan(desk)
    assert "7:45" in found(desk, "ferry to Quill Island"), "the old version answers until the new one is whole"
    work_off(desk)
    assert "8:15" in found(desk, "ferry to Quill Island")
    assert "7:45" not in found(desk, "ferry to Quill Island 7:45")
    assert not reconcile.verify(desk).any


def test_a_deleted_file_is_unanswerable_before_any_worker_has_looked(desk: Desk, ferry: Path) -> None:
    ferry.unlink()
    watch.rescan(desk)
    assert found(desk, "ferry to Quill Island") == ""


def test_a_deletion_is_proven_in_every_leg(desk: Desk, ferry: Path) -> None:
    (chunk_id,) = desk.knowledge.every_id()
    ferry.unlink()
    watch.rescan(desk)
    work_off(desk)
    assert desk.knowledge.present([chunk_id]) == []
    assert lexical.search(desk.database, "ferry Quill Island", 5) == []
    row = db.one(desk.database, sa.select(db.versions.c.proof, db.versions.c.forgotten_at))
    assert row and row.proof == "gone" and row.forgotten_at
    assert not reconcile.verify(desk).any


def test_a_deletion_wins_over_an_ingest_in_flight(desk: Desk, ferry: Path) -> None:
    place = drop(desk, "tides.md", "# Tides\n\nHigh tide at Quill Island is at noon.\n")
    watch.rescan(desk)

    def embedding(texts: list[str]) -> list[list[float]]:  # deleted when it was read, but not yet visible
        place.unlink()
        ledger.tombstone(desk.database, ["tides.md"])
        return desk.embeddings.embed_documents(texts)

    slow = SimpleNamespace(embed_documents=embedding, embed_query=desk.embeddings.embed_query)
    late = replace(desk, collections=Collections(desk.settings.chroma_url, lambda _: slow))
    running.work(jobs.FAST, FUNCTIONS, late)
    assert "tide" not in found(desk, "high tide at Quill Island")
    work_off(desk)
    assert "tide" not in " ".join(desk.knowledge.every_id()) and len(desk.knowledge.every_id()) == 1


def test_an_unreadable_file_fails_with_its_sentence_and_others_go_on(desk: Desk) -> None:
    drop(desk, "broken.pdf", "%PDF-1.7 nonsense")
    drop(desk, "ferries.md", FERRY)
    watch.rescan(desk)
    work_off(desk)
    states = {document.path: (document.state, document.error) for document in documents.listing(desk.database)}
    assert states["ferries.md"] == ("indexed", None)
    assert states["broken.pdf"][0] == "failed" and "not a valid PDF" in str(states["broken.pdf"][1])


def test_a_file_that_was_mended_is_tried_again(desk: Desk) -> None:
    place = drop(desk, "late.md", " ")
    watch.rescan(desk)
    work_off(desk)
    place.write_text(FERRY)
    ledger.requeue(desk.database, "late.md")
    work_off(desk)
    assert "7:45" in found(desk, "ferry")


def test_a_failure_nobody_foresaw_still_ends_the_job_with_a_sentence(desk: Desk, ferry: Path) -> None:
    ledger.requeue(desk.database, "ferries.md")

    def broken(_: Desk, __: Sequence[Job]) -> None:
        raise ZeroDivisionError("division by zero")

    running.work(jobs.FAST, {"ingest": broken}, desk)
    document = documents.find(desk.database, "ferries.md")
    assert document.state == "failed"
    assert "ZeroDivisionError" in str(document.error) and "\n" not in str(document.error)


def test_work_waits_while_the_search_index_is_down(desk: Desk, ferry: Path) -> None:
    down = desk.settings.model_copy(update={"chroma_url": "http://127.0.0.1:9"})
    broken = open_desk(down)
    ferry.write_text(FERRY.replace("7:45", "8:15"))
    watch.rescan(broken)
    work_off(broken)
    (document,) = documents.listing(desk.database)
    assert document.state == "queued" and "does not answer" in str(document.error)
    assert "7:45" in found(desk, "ferry to Quill Island"), "the old version still answers"
    work_off(desk)
    assert "8:15" in found(desk, "ferry to Quill Island")


def test_editors_leftovers_links_and_huge_files_are_not_read(desk: Desk, tmp_path: Path) -> None:
    for name in (".hidden.md", "~$report.docx", "draft.md.tmp", "draft.md~", "movie.part"):
        drop(desk, name, FERRY)
    (desk.settings.inbox_dir / "link.md").symlink_to(tmp_path / "elsewhere.md")
    with (desk.settings.inbox_dir / "huge.txt").open("wb") as huge:
        huge.truncate(desk.settings.max_file_megabytes * 1_000_000 + 1)
    watch.rescan(desk)
    work_off(desk)
    (document,) = documents.listing(desk.database)
    assert document.path == "huge.txt" and document.state == "failed" and "larger than" in str(document.error)


def test_a_missing_inbox_removes_nothing(desk: Desk, ferry: Path) -> None:
    desk.settings.inbox_dir.rename(desk.settings.inbox_dir.with_name("unmounted"))
    watch.rescan(desk)
    assert "7:45" in found(desk, "ferry to Quill Island")


def test_verify_finds_what_differs_and_repair_mends_it(desk: Desk, ferry: Path) -> None:
    (chunk_id,) = desk.knowledge.every_id()
    desk.knowledge.forget([chunk_id])
    with db.writing(desk.database) as connection:
        connection.execute(sa.text("DELETE FROM chunk_words"))
    differences = reconcile.verify(desk)
    assert differences.without_vector == differences.without_words == [chunk_id]
    assert not reconcile.repair(desk).any
    assert "7:45" in found(desk, "ferry to Quill Island")


def test_a_crash_between_switch_and_clean_up_leaves_nothing_visible(desk: Desk, ferry: Path) -> None:
    ferry.write_text(FERRY.replace("7:45", "8:15"))
    watch.rescan(desk)
    old = documents.chunks_of(desk.database, 1)
    work_off(desk)
    ledger.store(desk.database, old)  # the old version's chunks as a crash would leave them
    assert "7:45" not in found(desk, "ferry 7:45")
    erasure.erase_stale(desk)
    assert documents.stale_versions(desk.database) == []


def test_the_watcher_sees_new_changed_and_deleted_files(
    desk: Desk, eventually: Callable[..., None], tmp_path: Path
) -> None:
    threading.Thread(target=watch.watch, args=(desk,), daemon=True).start()
    outside = tmp_path / "moved-in.md"
    outside.write_text(FERRY)
    outside.rename(desk.settings.inbox_dir / "moved-in.md")
    eventually(lambda: [d.path for d in documents.listing(desk.database)] == ["moved-in.md"], 20)
    (desk.settings.inbox_dir / "moved-in.md").unlink()
    eventually(lambda: documents.listing(desk.database) == [], 20)


def test_work_waits_while_the_model_is_down(desk: Desk) -> None:
    down = open_desk(desk.settings.model_copy(update={"model_url": "http://127.0.0.1:9"}))
    drop(desk, "ferries.md", FERRY)
    watch.rescan(down)
    work_off(down)
    (document,) = documents.listing(desk.database)
    assert document.state == "queued" and "does not answer" in str(document.error)
    work_off(desk)
    assert "7:45" in found(desk, "ferry to Quill Island")
