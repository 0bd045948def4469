"""`frontdesk ingest`: copies files into the inbox and follows them until each is answerable or has failed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bot import documents, inbox
from bot.desk import Desk
from bot.errors import FrontdeskError, UnreadableDocument
from bot.records import Document, DocumentState
from ingest import folder

LOOK_SECONDS = 0.1
UNSEEN_SECONDS = 60
ASKED_TOGETHER = 500
DONE: tuple[DocumentState, ...] = ("indexed", *documents.BROKEN)


class NotSeen(FrontdeskError):
    """Files lie in the inbox, and no watcher runs."""


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
            place = _copy(desk, source, name)
            if not place.endswith(inbox.META):
                files.append(File(place))
        except UnreadableDocument as refusal:
            files.append(File(name, "failed", error=str(refusal)))
    return files


def _named(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Each file and its name in the inbox; what is said about the documents of a folder comes before them."""
    for path in paths:
        if path.is_dir():
            for file in (*sorted(path.rglob(f"*{inbox.META}")), *sorted(folder.documents_in(path))):
                yield file, file.relative_to(path).as_posix()
        else:
            yield path, path.name


def _copy(desk: Desk, source: Path, name: str) -> str:
    if folder.is_passed_over(source.name) and not source.name.endswith(inbox.META):
        raise UnreadableDocument(f"'{name}' has the name of an unfinished or hidden file; rename it.")
    place = inbox.save(desk.settings.inbox_dir, name, source, desk.settings.max_file_megabytes)
    return place.relative_to(desk.settings.inbox_dir).as_posix()


def until_done(desk: Desk, files: Sequence[File], *, quiet: bool = False) -> list[File]:
    """Wait for every file, with a bar that shows the rate and the time left.

    Raises `NotSeen` where the watcher takes no notice of them.
    """
    begun = time.perf_counter()
    done = {file.path: file for file in files if file.state in DONE}
    most = desk.settings.max_file_megabytes * 1_000_000
    waiting = {
        file.path: folder.digest(desk.settings.inbox_dir / file.path, most) for file in files if file.path not in done
    }
    with _bar(quiet) as bar:
        task = bar.add_task("indexing", total=len(files), pace="")
        while waiting:
            for document in _ended(desk, waiting):
                ms = round(1000 * (time.perf_counter() - begun), 1)
                done[document.path] = File(document.path, document.state, document.chunks, document.error, ms)
                del waiting[document.path]
            if waiting and time.perf_counter() - begun > UNSEEN_SECONDS and not _any_seen(desk, waiting):
                raise NotSeen("The files are in the inbox, but nothing looks at them; start it with `frontdesk up`.")
            bar.update(task, completed=len(done), pace=pace(documents.progress(desk.database)))
            time.sleep(LOOK_SECONDS if len(waiting) < 100 else 10 * LOOK_SECONDS)
    return [replace(done[file.path]) for file in files]


def _any_seen(desk: Desk, waiting: Mapping[str, str]) -> bool:
    return bool(documents.among(desk.database, list(waiting)[:ASKED_TOGETHER]))


def _ended(desk: Desk, waiting: Mapping[str, str]) -> list[Document]:
    """Those that are done with the content that was copied, and not with an earlier one."""
    return [one for one in documents.listing(desk.database, states=DONE) if waiting.get(one.path) == one.digest]


def pace(progress: documents.Progress) -> str:
    """`12.5 files a second, 2 min left`."""
    if not progress.per_second or progress.seconds_left is None:
        return ""
    left = progress.seconds_left
    return f"{progress.per_second:.1f} files a second, {f'{left:.0f} s' if left < 120 else f'{left / 60:.0f} min'} left"


def _bar(quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"))
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet)
