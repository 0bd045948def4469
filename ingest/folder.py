"""What lies in the drop folder: which files are documents, whether one is still being written, what it contains.

It opens files only to hash them. It knows nothing of the ledger.
"""

import fcntl
import hashlib
import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from bot.inbox import META
from bot.log import get_log

SETTLED_SECONDS = 0.3
F_SETSIG = 10  # of Linux's fcntl.h; Python does not name it
UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", ".swx", "~", "#")

log = get_log(__name__)


def documents_in(folder: Path) -> Iterator[Path]:
    """Every file of a folder and its sub-folders that is a document. Links are not followed, so that none can lead in
    circles or out of the folder."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(place, name)
            if is_document(file):
                yield file


def is_document(file: Path) -> bool:
    """Whether there is a document of this name: a real file, and not one that is passed over."""
    if is_passed_over(file.name):
        return False
    try:
        mode = file.lstat().st_mode
    except OSError:  # gone, or with a name that no file can have
        return False
    if stat.S_ISLNK(mode):
        log.info("a link is ignored", path=str(file))
    return stat.S_ISREG(mode)


def is_passed_over(name: str) -> bool:
    """Whether a file of this name is no document: an editor's, a copy's in the making, one that describes another."""
    return name.startswith((".", "~$")) or name.endswith((*UNFINISHED, META))


def settle(file: Path) -> os.stat_result | None:
    """The file's state once nobody writes it any more; None while somebody does, or where it is gone."""
    try:
        before = file.stat()
        age = time.time() - before.st_mtime
        if 0 <= age < SETTLED_SECONDS:
            time.sleep(SETTLED_SECONDS - age)
        if _is_being_written(file):
            return None
        after = file.stat()
    except OSError:
        return None
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return after if same else None


def _is_being_written(file: Path) -> bool:
    """Whether a process of this machine has the file open for writing: then Linux grants no read lease (fcntl(2))."""
    with file.open("rb") as opened:
        try:
            fcntl.fcntl(
                opened, F_SETSIG, signal.SIGURG
            )  # the signal of a broken lease: SIGIO, the usual one, would kill
            fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except BlockingIOError:
            return True
        except OSError:  # somebody else's file, or a file system without leases: its size and times must do
            return False
    return False


def digest(file: Path, max_bytes: int) -> str:
    """The SHA-256 of a file's content, read in pieces; one that is too large to be a document is not read."""
    size = file.stat().st_size
    if size > max_bytes:
        return f"unread-{size}"
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def changed_at(found: os.stat_result) -> float:
    """When a file came to say what it says: the inode's time, because a file that was renamed into the folder changed
    when it came, not when it was written."""
    return found.st_ctime
