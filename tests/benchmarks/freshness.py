"""How soon a dropped file answers, on an index that is not small: alone, and while a long PDF is being indexed.

`python -m tests.benchmarks.freshness [--drops 200] [--beside-pdf 60] [--chunks 10000]` renames text files into the
inbox, one a second, and asks for what only each of them says. Time runs from just before the renaming until the search
that found it has returned; the ledger is asked first, so that the asking does not take the machine from the ingest.
"""

import argparse
import math
import re
import tempfile
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bot import db, documents, retrieve
from tests.benchmarks import bulk, manuals
from tests.benchmarks.meters import spread_ms, tell
from tests.full_stack import Stack

WORDS = (330, 3300)  # 2 to 20 kB
DROP_EVERY_SECONDS, LOOK_SECONDS, PATIENCE_SECONDS = 1.0, 0.05, 600
MOST_SEARCHES = 20
BUILD_FILES, CHUNKS_A_FILE = 500, 6
PDFS, PAGE_WORDS, PDF_LOOK_SECONDS = 4, 430, 1
WAITING = ("queued", "reading", "embedding")


@dataclass(frozen=True)
class Drop:
    """A file that waits outside the inbox, and the question that finds it."""

    place: Path
    question: str


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drops", type=int, default=200, help="how many files come one by one")
    parser.add_argument("--beside-pdf", type=int, default=60, help="how many come while PDFs are being indexed")
    parser.add_argument("--pages", type=int, default=500, help="how many pages a PDF has")
    parser.add_argument("--chunks", type=int, default=10_000, help="how large the index is before the first of them")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frontdesk-freshness-") as folder, bulk.fresh_stack(Path(folder)) as stack:
        build_up(stack, Path(folder), chosen.chunks)
        tell(f"dropping {chosen.drops} files, one a second")
        show(stack, "alone", probe(stack, drops(stack, chosen.drops, seed=100)))
        waiting = drops(stack, chosen.beside_pdf, seed=101)
        with pdfs_indexed(stack, chosen.pages):
            tell(f"dropping {chosen.beside_pdf} files, one a second")
            show(stack, f"beside a PDF of {chosen.pages} pages", probe(stack, waiting))


def build_up(stack: Stack, work: Path, chunks: int) -> None:
    """Index generated files until there are so many chunks."""
    seed = 0
    while (known := bulk.indexed_chunks(stack)) < chunks:
        tell(f"building up the index: {known} of {chunks} chunks")
        count = min(BUILD_FILES, math.ceil((chunks - known) / CHUNKS_A_FILE))
        bulk.drop_and_wait(stack, bulk.generated(work, count, seed))
        seed += 1
    tell(f"the index has {known} chunks")


def drops(stack: Stack, count: int, seed: int) -> list[Drop]:
    """Files of 2 to 20 kB, written beside the inbox, on its file system."""
    folder = stack.inbox.parent / f"drops-{seed}"
    files = list(manuals.generate(count, seed, WORDS))
    manuals.write(files, folder)
    return [Drop(folder / one.path, one.mark_question) for one in files]


def probe(stack: Stack, waiting: Sequence[Drop]) -> dict[str, float]:
    """Rename the files into the inbox; milliseconds by name until each is found, endless where it never was."""
    renamed: dict[str, float] = {}
    found: dict[str, float] = {}
    searches: Counter[str] = Counter()
    asked = {drop.place.name: drop.question for drop in waiting}
    dropper = threading.Thread(target=_drop, args=(stack, waiting, renamed))
    dropper.start()
    deadline = time.perf_counter() + DROP_EVERY_SECONDS * len(waiting) + PATIENCE_SECONDS
    while len(found) < len(waiting) and time.perf_counter() < deadline:
        for name in answering(stack, renamed.keys() - found.keys()):
            searches[name] += 1
            if any(passage.document == name for passage in retrieve.search(stack.desk, asked[name], 3)):
                found[name] = 1000 * (time.perf_counter() - renamed[name])
            elif searches[name] == MOST_SEARCHES:
                found[name] = math.inf
        time.sleep(LOOK_SECONDS)
    dropper.join()
    return dict.fromkeys(asked, math.inf) | found


def answering(stack: Stack, names: set[str]) -> list[str]:
    """Which of these documents the ledger says are answered from."""
    path, active = db.documents.c.path, db.documents.c.active_version_id
    query = sa.select(path).where(path.in_(names), active.is_not(None))
    return [row.path for row in db.rows(stack.desk.database, query)] if names else []


def show(stack: Stack, when: str, found: dict[str, float]) -> None:
    """The spread as measured here, and as the ledger says."""
    known = {one.path: one.freshness_ms for one in documents.listing(stack.desk.database)}
    said = [ms for name in found if (ms := known.get(name)) is not None]
    print(f"freshness {when}: {spread_ms(list(found.values()))}")
    print(f"  by the ledger: {spread_ms(said) if said else 'nothing'}", flush=True)


@contextmanager
def pdfs_indexed(stack: Stack, pages: int) -> Iterator[None]:
    """PDFs are being indexed, one after another, as long as the block runs; what each took is told."""
    tell(f"writing {PDFS} PDFs of {pages} pages")
    places = [stack.inbox.parent / f"catalogue-{n}.pdf" for n in range(PDFS)]
    for seed, place in enumerate(places):
        place.write_bytes(pdf(pages, seed))
    begun, enough = threading.Event(), threading.Event()
    thread = threading.Thread(target=_index_pdfs, args=(stack, places, begun, enough))
    thread.start()
    try:
        begun.wait()
        yield
    finally:
        enough.set()
        thread.join()


def pdf(pages: int, seed: int) -> bytes:
    """A PDF of plain text, by hand (ISO 32000-1, 7.5): the catalogue, the page tree, a font, pages and their text."""
    words = re.sub(r"[()\\]", "", manuals.prose(pages * PAGE_WORDS, seed)).split()
    size = math.ceil(len(words) / pages)
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(pages))
    objects = ["<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Count {pages}/Kids[{kids}]>>"]
    objects.append("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for n in range(pages):
        lines = textwrap.wrap(" ".join(words[size * n : size * (n + 1)]), 90)
        stream = "BT /F 10 Tf 14 TL 50 790 Td\n" + "".join(f"({line}) Tj T*\n" for line in lines) + "ET"
        looks = f"/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>>>/Contents {5 + 2 * n} 0 R"
        objects.append(f"<</Type/Page/Parent 2 0 R{looks}>>")
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}\nendstream")
    return _file_of(objects)


def _file_of(objects: Sequence[str]) -> bytes:
    """The objects, numbered from 1, between a header and the table of where each begins."""
    written, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(written))
        written += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(written)}\n%%EOF\n"
    return f"{written}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode("ascii")


def _drop(stack: Stack, waiting: Sequence[Drop], renamed: dict[str, float]) -> None:
    begun = time.perf_counter()
    for number, drop in enumerate(waiting):
        time.sleep(max(0.0, begun + number * DROP_EVERY_SECONDS - time.perf_counter()))
        renamed[drop.place.name] = time.perf_counter()
        drop.place.rename(stack.inbox / drop.place.name)


def _index_pdfs(stack: Stack, places: Sequence[Path], begun: threading.Event, enough: threading.Event) -> None:
    """One PDF after another until it is enough; `begun` is set when the first is being worked on."""
    for place in places:
        dropped = time.perf_counter()
        place.rename(stack.inbox / place.name)
        while (state := _state(stack, place.name)) in WAITING:
            if state != "queued":
                begun.set()
            time.sleep(PDF_LOOK_SECONDS)
        begun.set()
        tell(f"{place.name}: {state} after {time.perf_counter() - dropped:.0f} s")
        if enough.is_set():
            return
    tell("there was no further PDF, so the last files came alone")


def _state(stack: Stack, name: str) -> str:
    known = {one.path: one.state for one in documents.listing(stack.desk.database)}
    return known.get(name, "queued")  # the watcher has not seen it yet


if __name__ == "__main__":
    main()
