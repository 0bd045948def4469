"""What keeps a file from harming the process that reads it, or the next file."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bot.errors import ReaderKilled, ReaderTooSlow, UnreadableDocument
from ingest import isolation, sandbox

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
    nursery = sandbox.Nursery()
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
    nursery = sandbox.nursery.pid
    slow = tmp_path / "slow.txt"
    os.mkfifo(slow)
    killer = threading.Thread(target=lambda: kill_first_child_of(nursery))
    killer.start()
    with pytest.raises(ReaderKilled, match=r"'slow\.txt' could not be read") as caught:
        sandbox.read(slow, patience=20)
    killer.join()
    assert not isinstance(caught.value, ReaderTooSlow)
    assert sandbox.read(note).blocks
    assert sandbox.nursery.pid == nursery


def kill_first_child_of(parent: int | None) -> None:
    deadline = time.monotonic() + FORK_SECONDS
    while time.monotonic() < deadline:
        for child in psutil.Process(parent).children():
            child.kill()
            return


def test_a_dead_nursery_is_replaced(note: Path) -> None:
    sandbox.read(note)
    before = sandbox.nursery.pid
    assert before
    os.kill(before, signal.SIGKILL)
    assert sandbox.read(note).blocks
    assert sandbox.nursery.pid != before


def test_a_forked_worker_starts_a_nursery_of_its_own(note: Path) -> None:
    sandbox.read(note)
    parents = sandbox.nursery.pid

    def read_in_child() -> None:
        sandbox.read(note)
        if sandbox.nursery.pid == parents:
            raise OSError

    assert in_a_fork(read_in_child) == 0
    assert sandbox.read(note).blocks
    assert sandbox.nursery.pid == parents


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
    nursery = psutil.Process(sandbox.nursery.pid)
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
