"""Reads each file in a process of its own that can do little harm: bounded memory, time and file size, no network,
no secrets.

Starting Python and its readers takes a second, so a nursery (`ingest.nursery`) does that once per worker process and
forks for every file. A request is the file's path and the pipe for its reading; the reply says how the fork ended. What
a file does to its reader is gone with the fork. There are three, since a fork costs what its nursery is large: one for
words only, one that has parsers of markup, and one with the readers of office files and PDF, which is five times as
large as words need. What a nursery has no reader for, the next one reads.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from bot.errors import ReaderKilled, ReaderTooSlow, UnreadableDocument
from ingest import isolation
from ingest.nursery import ELSEWHERE, OUT_OF_MEMORY, TOO_SLOW
from ingest.readers import contents, hidden
from ingest.readers.reading import Block, Reading

WALL_SECONDS = 120.0
# Beyond its limit a read is the nursery's to end; when the nursery does not, something is wrong with the nursery.
GRACE_SECONDS = 30.0
MOST_ANSWER_BYTES = 200_000_000
# Names of files that a larger nursery reads at once. What a file is, its content decides there.
OFFICE = frozenset(f".{name}" for name in "pdf doc docx ppt pptx xls xlsx xlsb odt ods odp rtf rst org msg zip".split())
MARKUP = frozenset(f".{name}" for name in "html htm xhtml xml csv tsv tab json jsonl yaml yml eml".split())
NO_NURSERY = 1001  # no status is that large
PASSED_AFTER_REFUSAL = 5
# Every function is bound when the nursery starts, not anew in every fork that calls it (ld.so(8)); `-S` leaves out what
# the installation hooks into every Python.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "LD_BIND_NOW": "1"}


def read(path: Path, patience: float = WALL_SECONDS) -> Reading:
    """Read a file in the sandbox, within `patience` seconds.

    Raises `UnreadableDocument` with one sentence for the content owner, `ReaderTooSlow`, or `ReaderKilled` for a file
    that ran into the other limits.
    """
    answer = _answer(path, patience)
    if "error" in answer:
        raise UnreadableDocument(answer["error"])
    blocks = tuple(Block(*block) for block in answer["blocks"])
    return Reading(answer["title"], blocks, answer["pages"], tuple(answer["notes"]))


def _answer(path: Path, patience: float) -> dict[str, Any]:
    ending = path.suffix.lower()
    for nursery in _able(ending):
        answer = nursery.read(path, patience)
        if answer is not None:
            return answer
        _passed[ending] = PASSED_AFTER_REFUSAL
    raise AssertionError("the larger nurseries refuse nothing")


def _able(ending: str) -> "tuple[Nursery, ...]":
    """The nurseries to ask, in this order. Files of one ending resemble each other, so after one with more than words a
    few more are not tried with words."""
    if ending in OFFICE:
        return (office,)
    if ending in MARKUP:
        return (markup,)
    if _passed.get(ending, 0) > 0:
        _passed[ending] -= 1
        return (markup,)
    return (words, markup)


class Nursery:
    """One process that has readers loaded and forks for every file; started when first needed. The one for words
    leaves what it has no reader for to others; these read every kind, and load what they do not have."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
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

    def read(self, path: Path, patience: float) -> dict[str, Any] | None:
        """The answer of a fork that reads the file; None where another nursery is to read it. One file at a time; other
        threads wait."""
        with self._lock:
            status, answer = self._ask(path, patience)
            if status == NO_NURSERY:  # it had died before; the next one gets the file
                status, answer = self._ask(path, patience)
        name = hidden.shown(path.name)
        if status == TOO_SLOW:
            raise ReaderTooSlow(f"'{name}' took longer than {patience:g} s to read; split or simplify it.")
        if status == ELSEWHERE:
            return None
        if status != 0:
            raise ReaderKilled(f"'{name}' could not be read: its reader {_ended(status)}; split or simplify it.")
        found: dict[str, Any] = json.loads(answer)
        return found

    def _ask(self, path: Path, patience: float) -> tuple[int, bytes]:
        """How the fork ended, and its answer. Whatever goes wrong here, also a signal, leaves no stale reply behind."""
        line = self._line or self._start()
        reading, writing = os.pipe()
        try:
            try:
                socket.send_fds(line, [b"%g " % patience + os.fsencode(path.absolute())], [writing])
            finally:
                os.close(writing)
            answer = _received(reading, time.monotonic() + patience + GRACE_SECONDS)
            line.settimeout(GRACE_SECONDS)
            status = line.recv(64)
            if not status:
                raise ConnectionResetError
            return int(status), answer
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
                [sys.executable, "-S", "-m", "ingest.nursery", self._kind],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=Path(__file__).parents[1],
                env=ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
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


_passed: dict[str, int] = {}  # how many more files of an ending are not offered to the nursery for words
words, markup, office = (Nursery(kind) for kind in (contents.WORDS, contents.MARKUP, contents.EVERYTHING))
for each in (words, markup, office):
    os.register_at_fork(after_in_child=each.forget)


def _ended(status: int) -> str:
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
