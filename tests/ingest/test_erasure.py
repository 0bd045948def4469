"""Deleted text is gone from every leg, and where it is not, that is said until it is."""

from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from bot import db, documents, ledger, lexical
from bot.desk import Desk
from bot.knowledge import Knowledge
from ingest import erasure, reconcile, watch
from tests.ingest.given_inbox import FERRY, drop, found, take_in, work_off
from workers import sweeping


def test_the_row_of_a_deleted_version_records_the_proof(desk: Desk) -> None:
    take_in(desk, ferries=FERRY)
    drop(desk, "ferries.md", FERRY.replace("7:45", "8:15"))
    watch.rescan(desk)
    work_off(desk)
    ((version, when, proof),) = documents.proofs(desk.database, "ferries.md")
    assert (version, proof) == (1, "gone") and when.year > 2000
    assert documents.unproven(desk.database) == []


def test_a_worker_that_dies_before_it_has_searched_leaves_the_proof_that_no_index_holds_the_text(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(desk, ferries=FERRY)
    ledger.tombstone(desk.database, ["ferries.md"])

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(lexical, "search", die)
        erasure.erase_stale(desk)
    assert [proof for _, _, proof in documents.proofs(desk.database, "ferries.md")] == [erasure.UNSEARCHED]


def test_a_vector_that_will_not_go_raises_the_alarm_until_it_is_gone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(desk, ferries=FERRY)
    with monkeypatch.context() as patch:
        patch.setattr(Knowledge, "forget", lambda *_: None)
        ledger.tombstone(desk.database, ["ferries.md"])
        work_off(desk)
    ((path, what),) = documents.unproven(desk.database)
    assert path == "ferries.md" and what == "1 of 1 pieces are still in the vector index."
    assert reconcile.verify(desk).not_proven_gone
    assert found(desk, "ferry to Quill Island") == "", "it does not answer all the same"
    sweeping.sweep(desk)
    assert documents.unproven(desk.database) == []
    assert desk.knowledge.every_id() == set()


def test_words_that_will_not_go_raise_the_alarm(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    take_in(desk, ferries=FERRY)

    def still_there(_: sa.Engine, query: str, k: int, collection: str = "") -> Sequence[tuple[str, float]]:
        return [("v1-00000", 1.0)] if "ferry" in query else []

    with monkeypatch.context() as patch:
        patch.setattr(lexical, "search", still_there)
        ledger.tombstone(desk.database, ["ferries.md"])
        work_off(desk)
    assert documents.unproven(desk.database) == [("ferries.md", "Its words are still in the lexical index.")]


def test_the_same_text_in_another_document_is_no_failure(desk: Desk) -> None:
    take_in(desk, ferries=FERRY, copy=FERRY)
    ledger.tombstone(desk.database, ["ferries.md"])
    work_off(desk)
    assert documents.unproven(desk.database) == []
    assert "7:45" in found(desk, "ferry to Quill Island")


def test_verify_finds_and_repair_mends_whatever_was_lost(desk: Desk) -> None:
    take_in(desk, ferries=FERRY, harbour="# Harbour\n\nThe harbour office opens at nine.\n")
    drop(desk, "late.md", "# Late\n\nThe late ferry leaves at eleven.\n")
    with db.writing(desk.database) as connection:
        connection.execute(sa.delete(db.chunks).where(db.chunks.c.version_id == 1))
    desk.knowledge.drop()
    found_out = reconcile.verify(desk)
    assert found_out.not_in_ledger == ["late.md"]
    assert found_out.words_without_chunk == [1]
    assert found_out.without_chunks == ["ferries.md"] and found_out.without_vector == ["v2-00000"]
    reconcile.repair(desk)
    work_off(desk)
    assert not reconcile.verify(desk).any
    assert {"7:45", "nine", "eleven"} <= set(found(desk, "ferry harbour office late").replace(".", "").split())


def test_erasing_twice_changes_nothing(desk: Desk) -> None:
    take_in(desk, ferries=FERRY)
    ledger.tombstone(desk.database, ["ferries.md"])
    assert erasure.erase_stale(desk) == 1
    assert erasure.erase_stale(desk) == 0


def test_of_two_who_erase_at_once_the_slower_takes_no_proof_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    take_in(desk, ferries=FERRY)
    ledger.tombstone(desk.database, ["ferries.md"])
    forget = Knowledge.forget

    def overtaken(knowledge: Knowledge, ids: Sequence[str]) -> None:
        monkeypatch.setattr(Knowledge, "forget", forget)
        erasure.erase_stale(desk)  # a worker does it all, while the other has only looked at what there is to do
        monkeypatch.setattr(lexical, "search", lambda *_: pytest.fail("the text was searched for already"))
        forget(knowledge, ids)

    monkeypatch.setattr(Knowledge, "forget", overtaken)
    erasure.erase_stale(desk)

    assert [proof for _, _, proof in documents.proofs(desk.database, "ferries.md")] == ["gone"]
