"""Reads each file in a process of its own that can do little harm: bounded memory, time and file size, no network,
no secrets.

Starting Python and its readers takes a second, so a nursery (`python -m ingest.sandbox`) does that once per worker
process and forks for every file. A request is the file's path and the pipe for its reading; the reply says how the
fork ended. What a file does to its reader is gone with the fork. There are two: a fork costs what its nursery is
large, and one that has loaded the readers of office files and PDF is four times as large as text needs.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from bot.errors import ReaderKilled, ReaderTooSlow, UnreadableDocument
from bot.leash import die_with_parent
from ingest import isolation
from ingest.readers import hidden
from ingest.readers.reading import Block, Reading

WALL_SECONDS = 120.0
# Beyond its limit a read is the nursery's to end; when the nursery does not, something is wrong with the nursery.
GRACE_SECONDS = 30.0
MOST_ANSWER_BYTES = 200_000_000
MOST_REQUEST_BYTES = 65_536
BROKEN, OUT_OF_MEMORY = 2, 3
# Names of files that the larger nursery reads faster. What a file is, its content decides there.
OFFICE = frozenset(f".{name}" for name in "pdf doc docx ppt pptx xls xlsx xlsb odt ods odp rtf rst org msg zip".split())
TOO_SLOW, NO_NURSERY = "too slow", "no nursery"


def read(path: Path, patience: float = WALL_SECONDS) -> Reading:
    """Read a file in the sandbox, within `patience` seconds.

    Raises `UnreadableDocument` with one sentence for the content owner, `ReaderTooSlow`, or `ReaderKilled` for a file
    that ran into the other limits.
    """
    answer = (office if path.suffix.lower() in OFFICE else nursery).read(path, patience)
    if "error" in answer:
        raise UnreadableDocument(answer["error"])
    blocks = tuple(Block(*block) for block in answer["blocks"])
    return Reading(answer["title"], blocks, answer["pages"], tuple(answer["notes"]))


class Nursery:
    """One process that has readers loaded and forks for every file; started when first needed. Each reads every kind,
    and loads what it does not have."""

    def __init__(self, *, everything: bool = False) -> None:
        self._everything = everything
        self.forget()

    def forget(self) -> None:
        """Have no nursery. A forked process must not use its parent's, nor hold its line: the end of the line tells
        a nursery that its worker is gone."""
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The nursery's process, where one runs."""
        return self._process.pid if self._process else None

    def read(self, path: Path, patience: float) -> dict[str, Any]:
        """The answer of a fork that reads the file. One file at a time; other threads wait."""
        with self._lock:
            status, answer = self._ask(path, patience)
            if status == NO_NURSERY:  # it had died before; the next one gets the file
                status, answer = self._ask(path, patience)
        name = hidden.shown(path.name)
        if status == TOO_SLOW:
            raise ReaderTooSlow(f"'{name}' took longer than {patience:g} s to read; split or simplify it.")
        if status != 0:
            raise ReaderKilled(f"'{name}' could not be read: its reader {_ended(status)}; split or simplify it.")
        found: dict[str, Any] = json.loads(answer)
        return found

    def _ask(self, path: Path, patience: float) -> tuple[int | str, bytes]:
        """How the fork ended, and its answer. Whatever goes wrong here, also a signal, leaves no stale reply behind."""
        line = self._line or self._start()
        reading, writing = os.pipe()
        try:
            try:
                socket.send_fds(line, [json.dumps([str(path.absolute()), patience]).encode()], [writing])
            finally:
                os.close(writing)
            answer = _received(reading, time.monotonic() + patience + GRACE_SECONDS)
            line.settimeout(GRACE_SECONDS)
            status = line.recv(64)
            if not status:
                raise ConnectionResetError
            return json.loads(status), answer
        except TimeoutError:
            self.stop()
            return TOO_SLOW, b""
        except ConnectionError:
            self.stop()
            return NO_NURSERY, b""
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(reading)

    def _start(self) -> socket.socket:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ingest.sandbox", *(["everything"] if self._everything else [])],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=Path(__file__).parents[1],
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        return self._line

    def stop(self) -> None:
        """End the process; the next file starts another."""
        if self._line:
            self._line.close()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._line = self._process = None


nursery, office = Nursery(), Nursery(everything=True)
os.register_at_fork(after_in_child=nursery.forget)
os.register_at_fork(after_in_child=office.forget)


def _ended(status: int | str) -> str:
    if status == OUT_OF_MEMORY:
        return f"needed more than {isolation.MEMORY_BYTES // 1024**2:,} MB of memory"
    if status == -signal.SIGXCPU:
        return f"needed more than {isolation.CPU_SECONDS} s of computing"
    return "broke down, as it does when it needs too much memory or the file is damaged"


def _received(reading: int, deadline: float) -> bytes:
    """All that comes through a pipe until its last writer is gone."""
    answer = bytearray()
    ready = select.poll()  # unlike select(2), also for a worker with more than 1,024 files open
    ready.register(reading, select.POLLIN)
    while len(answer) <= MOST_ANSWER_BYTES:
        if not ready.poll(max(deadline - time.monotonic(), 0) * 1000):
            raise TimeoutError
        piece = os.read(reading, 1 << 16)
        if not piece:
            return bytes(answer)
        answer += piece
    raise ConnectionAbortedError


def main() -> None:
    """The nursery: load the readers, then fork for every request until the worker's end of the line closes."""
    line = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    if warning := isolation.without_network():
        print(warning, file=sys.stderr)
    from ingest.readers import contents  # after the filter, so that it holds for what the readers load
    from ingest.readers import read as read_file

    contents.warm_up(everything="everything" in sys.argv)
    gc.collect()
    gc.freeze()  # so that a fork's collector does not touch, and thereby copy, the pages it shares
    while True:
        request, pipes, _, _ = socket.recv_fds(line, MOST_REQUEST_BYTES, 1)
        if not request:
            return
        place, patience = json.loads(request)
        nursery_pid = os.getpid()
        child = os.fork()
        if child == 0:
            line.close()
            _child(nursery_pid, Path(place), pipes[0], read_file)
        os.close(pipes[0])
        line.send(json.dumps(_outcome(child, patience, line)).encode())


def _outcome(child: int, patience: float, line: socket.socket) -> int | str:
    """How a fork ended: its exit status, minus the signal that killed it, or that it was too slow. Nothing that it
    started lives on. A worker that hangs up meanwhile is gone, and so is its nursery."""
    with contextlib.suppress(OSError):  # the child does this too; whoever comes first
        os.setpgid(child, child)
    watched = os.pidfd_open(child)
    ended, _, _ = select.select([watched, line.fileno()], [], [], patience)
    os.close(watched)
    if line.fileno() in ended:
        os.killpg(child, signal.SIGKILL)
        sys.exit()
    os.killpg(child, signal.SIGKILL)  # not waited for yet, so its number is still its own
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if ended else TOO_SLOW


def _child(parent: int, path: Path, pipe: int, read_file: Callable[[Path], Reading]) -> NoReturn:
    """The fork: limit itself, read, answer, and leave without ceremony."""
    status = BROKEN
    try:
        os.setpgid(0, 0)
        die_with_parent(parent)
        isolation.limit()
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        answer = json.dumps(_answer(path, read_file), ensure_ascii=False).encode("utf-8", "surrogatepass")
        with os.fdopen(pipe, "wb") as out:
            out.write(answer)
        status = 0
    except MemoryError:
        status = OUT_OF_MEMORY
    finally:
        os._exit(status)


def _answer(path: Path, read_file: Callable[[Path], Reading]) -> dict[str, Any]:
    try:
        reading = read_file(path)
    except UnreadableDocument as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": f"'{hidden.shown(path.name)}' cannot be opened: {error.strerror}."}
    return {
        "title": reading.title,
        "blocks": [(block.kind, block.text, block.level, block.page) for block in reading.blocks],
        "pages": reading.pages,
        "notes": reading.notes,
    }


if __name__ == "__main__":
    main()
