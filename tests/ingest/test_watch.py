"""What the watcher makes of a folder: moves, links, half-written files, mass deletions, words about documents."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import db, documents, inbox, notices, retrieve
from bot.desk import Desk
from ingest import reconcile, watch
from tests.ingest.given_inbox import FERRY, drop, found, take_in, work_off

HARBOUR = "# Harbour\n\nThe harbour office of Quill Island opens at nine.\n"


def paths(desk: Desk) -> list[str]:
    return sorted(documents.paths(desk.database))


def versions(desk: Desk) -> int:
    return len(db.rows(desk.database, sa.select(db.versions.c.version_id)))


def test_a_renamed_folder_is_moved_and_not_read_again(desk: Desk) -> None:
    drop(desk, "old/ferries.md", FERRY)
    drop(desk, "old/deep/harbour.md", HARBOUR)
    watch.rescan(desk)
    work_off(desk)
    (desk.settings.inbox_dir / "old").rename(desk.settings.inbox_dir / "new")
    watch.rescan(desk)
    assert paths(desk) == ["new/deep/harbour.md", "new/ferries.md"]
    assert versions(desk) == 2, "nothing was indexed anew"
    assert "7:45" in found(desk, "When does the ferry leave?", "new")
    assert not reconcile.verify(desk).any


def test_links_lead_nowhere(desk: Desk, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("# Secret\n\nThe code of the safe is 4711.\n")
    (desk.settings.inbox_dir / "linked.md").symlink_to(secret)
    (desk.settings.inbox_dir / "loop").symlink_to(desk.settings.inbox_dir, target_is_directory=True)
    take_in(desk, ferries=FERRY)
    assert paths(desk) == ["ferries.md"]


def test_a_file_that_is_still_being_written_waits(desk: Desk) -> None:
    place = desk.settings.inbox_dir / "slow.md"
    watcher = watch.Watcher(desk)
    with place.open("w") as half:
        half.write("# Ferries\n\nThe ferry to Quill")
        half.flush()
        watcher.look([place])
        assert paths(desk) == [] and watcher.unfinished == {place}
        half.write(" Island leaves at 7:45.\n")
    watcher.look(watcher.unfinished)
    work_off(desk)
    assert "7:45" in found(desk, "ferry")


def test_an_emptied_inbox_is_halted_until_a_person_says_so(desk: Desk) -> None:
    take_in(desk, ferries=FERRY, harbour=HARBOUR, tides="# Tides\n\nHigh tide is at noon.\n")
    for place in desk.settings.inbox_dir.iterdir():
        place.unlink()
    watch.rescan(desk)
    assert "3 of 3 files have vanished" in str(notices.get(desk.database, notices.MASS_DELETION))
    assert "7:45" in found(desk, "ferry to Quill Island"), "it goes on answering"
    assert inbox.withdraw_missing(desk.settings, desk.database, inbox.missing(desk.settings, desk.database)) == 3
    assert found(desk, "ferry to Quill Island") == ""
    assert notices.get(desk.database, notices.MASS_DELETION) is None


def test_files_that_come_back_settle_the_question(desk: Desk) -> None:
    take_in(desk, ferries=FERRY, harbour=HARBOUR, tides="# Tides\n\nHigh tide is at noon.\n")
    away = desk.settings.inbox_dir.with_name("unmounted")
    desk.settings.inbox_dir.rename(away)
    desk.settings.inbox_dir.mkdir()
    watcher = watch.Watcher(desk)
    watcher.rescan()
    assert notices.get(desk.database, notices.MASS_DELETION)
    desk.settings.inbox_dir.rmdir()
    away.rename(desk.settings.inbox_dir)
    watcher.rescan()
    assert notices.get(desk.database, notices.MASS_DELETION) is None
    assert versions(desk) == 3, "nothing was indexed anew"


def test_deleting_bit_by_bit_is_a_mass_deletion_too(desk: Desk) -> None:
    take_in(desk, **{f"note{n}": f"# Note {n}\n\nIts number is {n}.\n" for n in range(20)})
    watcher = watch.Watcher(desk)
    for first in (0, 3):
        for n in range(first, first + 3):
            (desk.settings.inbox_dir / f"note{n}.md").unlink()
        watcher.rescan()
    assert len(paths(desk)) == 17, "the first three went, the next three are asked about"
    assert "vanished" in str(notices.get(desk.database, notices.MASS_DELETION))


def test_a_missing_inbox_is_said_on_the_page(desk: Desk) -> None:
    take_in(desk, ferries=FERRY)
    shutil.move(desk.settings.inbox_dir, desk.settings.inbox_dir.with_name("elsewhere"))
    watch.rescan(desk)
    assert "is missing" in str(notices.get(desk.database, notices.INBOX_MISSING))
    assert "7:45" in found(desk, "ferry to Quill Island")
    shutil.move(desk.settings.inbox_dir.with_name("elsewhere"), desk.settings.inbox_dir)
    watch.rescan(desk)
    assert notices.get(desk.database, notices.INBOX_MISSING) is None


def test_a_document_answers_only_while_it_is_valid(desk: Desk) -> None:
    take_in(desk, ferries=FERRY, harbour=HARBOUR)
    drop(desk, "ferries.md.meta.yaml", "owner: Maria Lind\nvalid-until: 2020-01-31\n")
    drop(desk, "harbour.md.meta.yaml", "valid-from: 2099-01-01\n")
    watch.rescan(desk)
    assert found(desk, "ferry to Quill Island harbour office") == ""
    assert documents.find(desk.database, "ferries.md").meta.owner == "Maria Lind"
    drop(desk, "ferries.md.meta.yaml", "valid-until: 2099-01-31\n")
    (desk.settings.inbox_dir / "harbour.md.meta.yaml").unlink()
    watch.rescan(desk)
    assert "7:45" in found(desk, "ferry to Quill Island")
    assert "nine" in found(desk, "harbour office")
    assert versions(desk) == 2, "what is said about a document is no new version"


def test_a_folder_can_speak_for_its_documents(desk: Desk) -> None:
    drop(desk, "island/.meta.yaml", "owner: Harbour master\n")
    drop(desk, "island/ferries.md", FERRY)
    drop(desk, "island/harbour.md", HARBOUR)
    drop(desk, "island/harbour.md.meta.yaml", "owner: Maria Lind\n")
    watch.rescan(desk)
    owners = {one.path: one.meta.owner for one in documents.listing(desk.database)}
    assert owners == {"island/ferries.md": "Harbour master", "island/harbour.md": "Maria Lind"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("owner: [a, b]", "the owner should be a name"),
        ("valid-until: soon", "should be a day such as"),
        ("just words", "should have lines such as"),
        ("a: {b", "not valid YAML"),
        ("colour: red", "'colour' is not one of"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_a_word_about_a_document_that_makes_no_sense_is_said_and_not_used(desk: Desk, said: str, why: str) -> None:
    drop(desk, "ferries.md.meta.yaml", said)
    take_in(desk, ferries=FERRY)
    document = documents.find(desk.database, "ferries.md")
    assert any(why in note for note in document.notes)
    assert "7:45" in found(desk, "ferry")


def test_a_question_can_be_limited_to_a_folder(desk: Desk) -> None:
    drop(desk, "island/ferries.md", FERRY)
    drop(desk, "100%_sure/ferries.md", FERRY.replace("7:45", "9:15"))
    watch.rescan(desk)
    work_off(desk)
    assert documents.collections(desk.database) == ["100%_sure", "island"]
    assert {p.document for p in retrieve.search(desk, "ferry", 5, collection="island")} == {"island/ferries.md"}
    assert "9:15" in found(desk, "When does the ferry leave?", "100%_sure")
    assert found(desk, "ferry", "islan") == ""


def test_the_watcher_follows_folders_that_come_and_go(
    desk: Desk, eventually: Callable[..., None], tmp_path: Path
) -> None:
    threading.Thread(target=watch.watch, args=(desk,), daemon=True).start()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "ferries.md").write_text(FERRY)
    (outside / "harbour.md").write_text(HARBOUR)
    time.sleep(1)  # so that it is the event, and not the first look, that is tested
    outside.rename(desk.settings.inbox_dir / "v1.2")
    eventually(lambda: paths(desk) == ["v1.2/ferries.md", "v1.2/harbour.md"], 20)
    shutil.rmtree(desk.settings.inbox_dir / "v1.2")
    eventually(lambda: paths(desk) == [], 20)
