"""`frontdesk ingest`: copies files into the inbox and follows them until each is answerable or has failed."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bot import documents, inbox
from bot.desk import Desk
from bot.errors import UnreadableDocument
from bot.records import Document, DocumentState
from ingest import folder

LOOK_SECONDS = 0.1
DONE: tuple[DocumentState, ...] = ("indexed", *documents.BROKEN)


@dataclass(frozen=True)
class File:
    """One line of `frontdesk ingest`: `ms` is the time until the file was done, counted from the command's begin."""

    path: str
    state: str = "queued"
    chunks: int = 0
    error: str | None = None
    ms: float = 0.0


def copy_in(desk: Desk, paths: Sequence[Path]) -> list[File]:
    """Copy files, and what is in folders, into the inbox. One that is too large is refused, and the others go on."""
    files = []
    for source, name in _named(paths):
        try:
            place = inbox.save(desk.settings.inbox_dir, name, source, desk.settings.max_file_megabytes)
            files.append(File(place.relative_to(desk.settings.inbox_dir).as_posix()))
        except UnreadableDocument as refusal:
            files.append(File(name, "failed", error=str(refusal)))
    return files


def _named(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    for path in paths:
        if path.is_dir():
            yield from ((file, file.relative_to(path).as_posix()) for file in sorted(folder.documents_in(path)))
        else:
            yield path, path.name


def until_done(desk: Desk, files: Sequence[File], *, quiet: bool = False) -> list[File]:
    """Wait for every file, with a bar that shows the rate and the time left."""
    begun = time.perf_counter()
    done = {file.path: file for file in files if file.state in DONE}
    waiting = {file.path for file in files} - set(done)
    with _bar(quiet) as bar:
        task = bar.add_task("indexing", total=len(files), pace="")
        while waiting:
            for document in _ended(desk, waiting):
                ms = round(1000 * (time.perf_counter() - begun), 1)
                done[document.path] = File(document.path, document.state, document.chunks, document.error, ms)
                waiting.discard(document.path)
            bar.update(task, completed=len(done), pace=pace(documents.progress(desk.database)))
            time.sleep(LOOK_SECONDS if len(waiting) < 100 else 10 * LOOK_SECONDS)
    return [replace(done[file.path]) for file in files]


def _ended(desk: Desk, waiting: set[str]) -> list[Document]:
    return [one for one in documents.listing(desk.database, states=DONE) if one.path in waiting]


def pace(progress: documents.Progress) -> str:
    """`12.5 files a second, 2 min left`."""
    if not progress.per_second or progress.seconds_left is None:
        return ""
    left = progress.seconds_left
    return f"{progress.per_second:.1f} files a second, {f'{left:.0f} s' if left < 120 else f'{left / 60:.0f} min'} left"


def _bar(quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"))
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet)
