"""The process that forks for every file (`python -m ingest.nursery KIND`); `ingest.sandbox` starts it and asks it.

A fork costs the pages of its nursery that it shares, and again those that it touches. So the nursery for words only
imports next to nothing: no threads, no parser; nothing of `ingest.sandbox` either.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from typing import Any, NoReturn

from bot.errors import UnreadableDocument
from ingest import isolation
from ingest.readers import hidden
from ingest.readers.reading import Reading

MOST_REQUEST_BYTES = 65_536
# How a fork ends that gave no answer; the last is the nursery's word, for no status is that large.
BROKEN, OUT_OF_MEMORY, ELSEWHERE, TOO_SLOW = 2, 3, 4, 1000
INT_BYTES = 4  # of a file descriptor as the socket sends it
WARM_UPS = 20  # CPython 3.11 has adapted its instructions to a function's values by then, and writes to them no more

_json = json.JSONEncoder(ensure_ascii=False).encode
Read = Callable[[bytes, str], Reading]  # from a file's content, and its name as a sentence can hold it


class Unprepared(BaseException):
    """The file needs a reader that this nursery has not loaded; no reader is to take it for damage."""


class Closed:
    """An importer that imports nothing: to load a parser for each file anew takes longer than to ask elsewhere."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Refuse."""
        raise Unprepared(name)


def main() -> None:
    """Load the readers, then fork for every request until the worker's end of the line closes."""
    line = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    if warning := isolation.without_network():
        print(warning, file=sys.stderr)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # here, so that no fork need do it
        os.dup2(nothing, stream)
    from ingest.readers import contents  # after the filter, so that it holds for what the readers load

    kind = sys.argv[1]
    for _ in range(WARM_UPS):
        contents.warm_up(kind)
        for name in contents.PLAIN:
            _answer(f"/nowhere/{name}", contents.read)
        _packed({"title": "", "blocks": [("text", "We open at nine.", 0, None)], "pages": None, "notes": ()})
    if kind == contents.WORDS:
        sys.meta_path.insert(0, Closed())
    gc.collect()
    gc.freeze()  # so that a fork's collector does not touch, and thereby copy, the pages it shares
    serve(line, contents.read)


def serve(line: socket.socket, read: Read) -> None:
    """Fork for every request: a patience in seconds and a path, with the pipe for the answer. What is done here while
    the fork lives copies pages, too."""
    nursery, own_end = os.getpid(), line.fileno()
    room = socket.CMSG_SPACE(INT_BYTES)
    while True:
        request, ancillary, _, _ = line.recvmsg(MOST_REQUEST_BYTES, room)
        if not request:
            return
        pipe = int.from_bytes(ancillary[0][2][:INT_BYTES], sys.byteorder)
        patience, _, place = request.partition(b" ")
        child = os.fork()
        if child == 0:
            os.close(own_end)
            _child(nursery, os.fsdecode(place), pipe, read)
        status = _outcome(child, float(patience), own_end)
        os.close(pipe)
        line.send(b"%d" % status)


def _outcome(child: int, patience: float, line: int) -> int:
    """How a fork ended: its exit status, minus the signal that killed it, or that it was too slow. Nothing that it
    started lives on. A worker that hangs up meanwhile is gone, and so is its nursery."""
    with contextlib.suppress(OSError):  # the child does this too; whoever comes first
        os.setpgid(child, child)
    watched = os.pidfd_open(child)
    ended, _, _ = select.select([watched, line], [], [], patience)
    os.close(watched)
    os.killpg(child, signal.SIGKILL)  # not waited for yet, so its number is still its own
    if line in ended:
        sys.exit()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if ended else TOO_SLOW


def _child(parent: int, place: str, pipe: int, read: Read) -> NoReturn:
    """The fork: limit itself, read, answer, and leave without ceremony."""
    status = BROKEN
    try:
        os.setpgid(0, 0)
        isolation.end_with(parent)
        isolation.limit()
        answer = _answer(place, read)
        while answer:
            answer = answer[os.write(pipe, answer) :]
        status = 0
    except Unprepared:
        status = ELSEWHERE
    except MemoryError:
        status = OUT_OF_MEMORY
    finally:
        os._exit(status)


def _answer(place: str, read: Read) -> bytes:
    name = hidden.shown(place[place.rfind("/") + 1 :])
    try:
        with open(place, "rb") as file:  # noqa: PTH123 - a path is pages more to copy
            reading = read(file.read(), name)
    except UnreadableDocument as error:
        return _packed({"error": str(error)})
    except OSError as error:
        return _packed({"error": f"'{name}' cannot be opened: {error.strerror}."})
    blocks = [(block.kind, block.text, block.level, block.page) for block in reading.blocks]
    return _packed({"title": reading.title, "blocks": blocks, "pages": reading.pages, "notes": reading.notes})


def _packed(answer: dict[str, Any]) -> bytes:
    return _json(answer).encode("utf-8", "surrogatepass")


if __name__ == "__main__":
    main()
