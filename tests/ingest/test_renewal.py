"""A new way of cutting, or a new embedding model, beside the one that answers."""

from dataclasses import replace

import pytest

from bot import documents, indexes, ledger
from bot.desk import Desk
from bot.knowledge import Collections, Knowledge
from ingest import reconcile, renewal, watch
from tests.ingest.given_inbox import FERRY, drop, found, take_in, work_off
from workers import sweeping

HARBOUR = "# Harbour\n\nThe harbour office of Quill Island opens at nine.\n"


@pytest.fixture
def changed(desk: Desk) -> Desk:
    """The same desk after an operator has asked for shorter chunks."""
    take_in(desk, ferries=FERRY, harbour=HARBOUR)
    return replace(desk, settings=desk.settings.model_copy(update={"chunk_tokens": 60}))


def test_the_old_index_answers_until_the_new_one_is_whole(desk: Desk, changed: Desk) -> None:
    old = indexes.live(desk.database)
    assert renewal.begin_if_needed(changed)
    building = indexes.building(desk.database)
    assert building and documents.rebuilding(desk.database, building) == (2, 2)
    assert "7:45" in found(desk, "ferry to Quill Island")
    assert indexes.live(desk.database) == old
    work_off(changed)
    assert indexes.live(desk.database).index_id == building.index_id
    assert "7:45" in found(desk, "ferry to Quill Island")
    assert not reconcile.verify(changed).any
    assert {one.state for one in documents.listing(desk.database)} == {"indexed"}


def test_the_old_collection_is_gone_with_its_text(desk: Desk, changed: Desk) -> None:
    old = indexes.live(desk.database)
    renewal.begin_if_needed(changed)
    work_off(changed)
    assert desk.collections.of(old).every_id() == set()
    assert documents.chunk_ids(desk.database, old.index_id) == set()
    assert [proof for _, _, proof in documents.proofs(desk.database, "ferries.md")] == ["gone with its index"]
    desk.collections.of(old).drop()


def test_what_changes_meanwhile_is_right_in_both(desk: Desk, changed: Desk) -> None:
    renewal.begin_if_needed(changed)
    drop(desk, "ferries.md", FERRY.replace("7:45", "8:15"))
    drop(desk, "tides.md", "# Tides\n\nHigh tide at Quill Island is at noon.\n")
    (desk.settings.inbox_dir / "harbour.md").unlink()
    watch.rescan(changed)
    assert "nine" not in found(desk, "harbour office of Quill Island")
    work_off(changed)
    assert indexes.building(desk.database) is None
    text = found(desk, "ferry tide harbour Quill Island")
    assert "8:15" in text and "noon" in text and "7:45" not in text and "nine" not in text
    assert not reconcile.verify(changed).any


def test_a_change_of_mind_gives_the_new_index_up(desk: Desk, changed: Desk) -> None:
    renewal.begin_if_needed(changed)
    assert not renewal.begin_if_needed(desk), "what answers is what is asked for again"
    assert indexes.building(desk.database) is None
    work_off(desk)
    sweeping.sweep(desk)
    assert "7:45" in found(desk, "ferry to Quill Island")
    assert not reconcile.verify(desk).any


def test_another_embedding_model_gets_a_collection_of_its_own(desk: Desk) -> None:
    take_in(desk, ferries=FERRY)
    asked: list[str] = []

    def named(model: str) -> Knowledge:
        asked.append(model)
        return desk.embeddings  # type: ignore[return-value]

    settings = desk.settings.model_copy(update={"embedding_model": "another-model"})
    other = replace(desk, settings=settings, collections=Collections(settings.chroma_url, named))  # type: ignore[arg-type]
    renewal.begin_if_needed(other)
    work_off(other)
    live = indexes.live(desk.database)
    assert (live.embedding_model, live.state) == ("another-model", "live")
    assert "another-model" in asked
    assert "7:45" in found(other, "ferry to Quill Island")


def test_a_switch_that_crashed_before_the_cleaning_is_made_good_by_the_sweep(desk: Desk, changed: Desk) -> None:
    old = indexes.live(desk.database)
    renewal.begin_if_needed(changed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(renewal, "drop_retired", lambda _: None)
        work_off(changed)
    assert documents.chunk_ids(desk.database, old.index_id)
    sweeping.sweep(changed)
    assert not documents.chunk_ids(desk.database, old.index_id)
    assert not reconcile.verify(changed).any


def test_a_version_for_an_index_that_was_given_up_is_not_read(desk: Desk, changed: Desk) -> None:
    renewal.begin_if_needed(changed)
    building = indexes.building(desk.database)
    assert building
    renewal.begin_if_needed(desk)
    work_off(desk)
    assert documents.chunk_ids(desk.database, building.index_id) == set()
    assert ledger.requeue(desk.database, "ferries.md") == "fast"
