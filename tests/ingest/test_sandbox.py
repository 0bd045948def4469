"""What keeps a file from harming the process that reads it, or the next file."""

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bot.errors import ReaderKilled, ReaderTooSlow, UnreadableDocument
from ingest import isolation, sandbox
from ingest.readers import contents, markdown, text

# Stand-ins for a reader, each in a process of its own that the sandbox's own functions set up.
FORK_SECONDS = 30


def in_a_fork(act: Callable[[], object]) -> int:
    """The exit status of a forked process that acts: 0, 1 if it raised OSError, 2 if it raised MemoryError."""
    child = os.fork()
    if child == 0:
        status = 0
        try:
            act()
        except OSError:
            status = 1
        except MemoryError:
            status = 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture(autouse=True)
def words_are_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test before this one had read."""
    monkeypatch.setattr(sandbox, "_passed", {})


@pytest.fixture
def note(tmp_path: Path) -> Path:
    place = tmp_path / "note.txt"
    place.write_text("Linden & Lark opens at nine.")
    return place


def test_readers_cannot_reach_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connect = lambda: socket.create_connection(listener.getsockname(), 2).close()  # noqa: E731
        assert in_a_fork(connect) == 0
        assert in_a_fork(lambda: (isolation.without_network(), connect())) == 1
    assert in_a_fork(lambda: (isolation.without_network(), socket.socketpair()[0].close())) == 0


def test_the_nursery_itself_runs_without_the_network_and_without_secrets(
    note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTDESK_API_KEY", "secret")
    nursery = sandbox.Nursery(contents.WORDS)
    nursery.read(note, 20)
    status = Path(f"/proc/{nursery.pid}/status").read_text()
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
    assert b"secret" not in Path(f"/proc/{nursery.pid}/environ").read_bytes()
    assert "Threads:\t1" in status
    nursery.stop()


def test_memory_is_limited() -> None:
    assert in_a_fork(lambda: bytearray(isolation.MEMORY_BYTES)) == 0
    assert in_a_fork(lambda: (isolation.limit(), bytearray(isolation.MEMORY_BYTES))) == 2


def test_a_slow_file_is_killed_in_time_and_the_next_one_is_read(tmp_path: Path, note: Path) -> None:
    slow = tmp_path / "slow.txt"
    os.mkfifo(slow)  # whose reader waits for a writer that never comes
    started = time.monotonic()
    with pytest.raises(ReaderTooSlow, match=r"'slow\.txt' took longer than 0\.5 s"):
        sandbox.read(slow, patience=0.5)
    assert time.monotonic() - started < 10
    assert sandbox.read(note).blocks


def test_a_killed_reader_is_told_apart_and_the_nursery_lives_on(tmp_path: Path, note: Path) -> None:
    sandbox.read(note)
    nursery = sandbox.words.pid
    slow = tmp_path / "slow.txt"
    os.mkfifo(slow)
    ended = threading.Event()
    killer = threading.Thread(target=lambda: kill_children_of(nursery, ended))
    killer.start()
    try:
        with pytest.raises(ReaderKilled, match=r"'slow\.txt' could not be read") as caught:
            sandbox.read(slow, patience=20)
    finally:
        ended.set()
        killer.join()
    assert not isinstance(caught.value, ReaderTooSlow)
    assert sandbox.read(note).blocks
    assert sandbox.words.pid == nursery


def kill_children_of(parent: int | None, ended: threading.Event) -> None:
    """The first child seen may be that of the read before, which is only just ending."""
    while not ended.wait(0.01):
        for child in psutil.Process(parent).children():
            with suppress(psutil.NoSuchProcess):
                child.kill()


def test_a_dead_nursery_is_replaced(note: Path) -> None:
    sandbox.read(note)
    before = sandbox.words.pid
    assert before
    os.kill(before, signal.SIGKILL)
    assert sandbox.read(note).blocks
    assert sandbox.words.pid != before


def test_a_forked_worker_starts_a_nursery_of_its_own(note: Path) -> None:
    sandbox.read(note)
    parents = sandbox.words.pid

    def read_in_child() -> None:
        sandbox.read(note)
        if sandbox.words.pid == parents:
            raise OSError

    assert in_a_fork(read_in_child) == 0
    assert sandbox.read(note).blocks
    assert sandbox.words.pid == parents


def test_the_nursery_and_its_reader_die_with_their_worker(tmp_path: Path) -> None:
    slow = tmp_path / "slow.txt"
    os.mkfifo(slow)
    worker = os.fork()
    if worker == 0:
        sandbox.read(slow, patience=60)
        os._exit(0)
    deadline = time.monotonic() + FORK_SECONDS
    while len(family := psutil.Process(worker).children(recursive=True)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    gone, alive = psutil.wait_procs(family, timeout=FORK_SECONDS)
    assert len(gone) == 2 and not alive


def test_threads_share_the_nursery(tmp_path: Path) -> None:
    found: dict[int, str] = {}

    def read_one(number: int) -> None:
        place = tmp_path / f"{number}.txt"
        place.write_text(f"This is file number {number}.")
        found[number] = sandbox.read(place).blocks[0].text

    threads = [threading.Thread(target=read_one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: f"This is file number {number}." for number in range(20)}


def test_many_files_leave_the_nursery_as_small_as_it_was(note: Path) -> None:
    sandbox.read(note)
    nursery = psutil.Process(sandbox.words.pid)
    before = nursery.memory_info().rss, nursery.num_fds()
    for _ in range(200):
        sandbox.read(note)
    assert nursery.memory_info().rss < before[0] + 2_000_000
    assert nursery.num_fds() == before[1]


def test_a_large_answer_arrives_whole(tmp_path: Path) -> None:
    place = tmp_path / "large.txt"
    place.write_text("\n\n".join(f"Paragraph number {n} of a long document." for n in range(100_000)))
    assert len(sandbox.read(place).blocks) == 100_000


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match=r"'gone\.txt'"):
        sandbox.read(tmp_path / "gone.txt")


def test_what_the_nursery_for_words_cannot_read_another_one_reads(tmp_path: Path, note: Path) -> None:
    marked, page, latin = tmp_path / "marked.md", tmp_path / "page.txt", tmp_path / "latin.txt"
    marked.write_text("# Hours\n\n- We *open* at nine.\n")
    page.write_text("<!doctype html><html><body><h1>Hours</h1><p>We open at nine.</p></body></html>")
    latin.write_bytes("Wir öffnen um neun Uhr, auch für Gäste.".encode("latin-1"))
    for place in (marked, page, latin):
        assert sandbox.words.read(place, 20) is None
    assert sandbox.words.read(note, 20)
    assert [sandbox.read(place).blocks[-1].text for place in (marked, page, latin)] == [
        "We open at nine.",
        "We open at nine.",
        "Wir öffnen um neun Uhr, auch für Gäste.",
    ]


def test_the_nursery_for_words_forks_fast(note: Path) -> None:
    sandbox.read(note)
    loaded = Path(f"/proc/{sandbox.words.pid}/maps").read_text()
    assert not [name for name in ("etree", "yaml", "pdfium", "numpy") if name in loaded]
    copied = copied_pages(sandbox.words.pid)
    for _ in range(20):
        sandbox.read(note)
    assert (copied_pages(sandbox.words.pid) - copied) / 20 < 500, (
        "a fork that copies more has loaded more than it needs"
    )


def test_files_like_one_with_more_than_words_are_not_all_tried_with_words_first(tmp_path: Path) -> None:
    forks = 0
    read = sandbox.words.read

    def counted(path: Path, patience: float) -> dict[str, object] | None:
        nonlocal forks
        forks += 1
        return read(path, patience)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox.words, "read", counted)
        for number in range(2 * (sandbox.PASSED_AFTER_REFUSAL + 1)):
            place = tmp_path / f"{number}.markdown"
            place.write_text(f"- This is *file* number {number}.\n")
            assert sandbox.read(place).blocks[0].text == f"This is file number {number}."
    assert forks == 2


def copied_pages(pid: int | None) -> int:
    """Page faults of all children of a process that have ended (proc(5), `cminflt`)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[8])


def test_markdown_without_marks_reads_as_the_parser_reads_it() -> None:
    chance = random.Random(7)
    pieces = ["Open", "é", " ", "  ", "\n", "\n\n", "# ", "## Menu", "#", "-", "- ", "1.", "1)", "2024", ":", "==="]
    pieces += [">", "!", "]", "(", "www.x.org", "&", "&amp;", "R&D", "~~~", "+", "\u00a0", "\u2028", "\x85", "C#", "*"]
    unmarked = 0
    for _ in range(4_000):
        written = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 12)))
        if not text.MARKED.search(written):
            unmarked += 1
            assert text.read_markdown(written, "a.md") == markdown.read_marked(written), repr(written)
    assert unmarked > 500
