"""Thousands of files at once: Frontdesk beside the plain LangChain recipe, in turn, on the same machine.

`python -m tests.benchmarks.bulk [--emanual FOLDER] [--files 5000] [--rounds 2]` prints for each set of files what both
sides took and how well they find; then how search fares while another bulk comes in. The sides cut chunks of different
sizes, so words of source text a second say more than chunks a second.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from bot import db, documents
from bot.quality import ranking
from bot.records import Question
from bot.serving import weights
from bot.settings import load_settings
from ingest import questions
from tests import full_stack
from tests.benchmarks import manuals, plain
from tests.benchmarks.meters import asking, percentile, spread, spread_ms, tell, weighed

PLAIN, OURS = "plain recipe", "Frontdesk"
QUESTIONS = 300
QUIET_SECONDS = 60
LOOK_SECONDS, TELL_SECONDS = 0.2, 20
ENDED = ("indexed", "failed", "quarantined")


@dataclass(frozen=True)
class Corpus:
    """Files in the folder `home`, and questions whose documents are paths in it."""

    name: str
    home: Path
    questions: Sequence[Question]
    files: int
    words: int


@dataclass(frozen=True)
class Round:
    """What one side took for a corpus, and how well it finds."""

    chunks: int
    seconds: float
    ndcg: float


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emanual", type=Path, help="the folder of the emanual set (docs.jsonl, qa.jsonl)")
    parser.add_argument("--files", type=int, default=5000, help="how many manuals to generate")
    parser.add_argument("--more-files", type=int, default=1000, help="how many come in while search is timed")
    parser.add_argument("--rounds", type=int, default=2, help="0 only times search while files come in")
    chosen = parser.parse_args()
    settings = load_settings()
    embeddings = plain.MiniLM(weights.locate(settings.embedding_model, settings))
    with tempfile.TemporaryDirectory(prefix="frontdesk-bulk-") as folder:
        work = Path(folder)
        more = generated(work, chosen.more_files, seed=1)
        if not chosen.rounds:
            only_under_load(work, generated(work, chosen.files), more)
            return
        if chosen.emanual and (chosen.emanual / "docs.jsonl").is_file():
            measure(work, emanual(work, chosen.emanual), embeddings, chosen.rounds)
        else:
            tell("emanual is left out: --emanual names no folder with its docs.jsonl")
        measure(work, generated(work, chosen.files), embeddings, chosen.rounds, partial(under_load, more=more))


def emanual(work: Path, folder: Path) -> Corpus:
    """The sections of the manuals, one file each."""
    home = work / "emanual"
    for doc_id, title, text in questions.load_texts(folder / "docs.jsonl"):
        place = home / _file_of(doc_id)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"# {title}\n\n{text}\n", encoding="utf-8")
    asked = [one for one in questions.load_questions(folder / "qa.jsonl") if one.answerable]
    return _corpus(home, [replace(one, documents=tuple(map(_file_of, one.documents))) for one in asked])


def generated(work: Path, count: int, seed: int = 0) -> Corpus:
    """Manuals of companies that do not exist."""
    home = work / f"generated-{seed}"
    files = list(manuals.generate(count, seed))
    manuals.write(files, home)
    return _corpus(home, manuals.questions(files, QUESTIONS))


def measure(
    work: Path,
    corpus: Corpus,
    embeddings: plain.MiniLM,
    rounds: int,
    last: Callable[[full_stack.Stack, Corpus], None] = lambda *_: None,
) -> None:
    """Both sides on a fresh stack each round, in turns who goes first; `last` is done on the stack of the last one."""
    tell(f"{corpus.name}: {corpus.files} files, {corpus.words} words")
    taken: dict[str, list[Round]] = {PLAIN: [], OURS: []}
    for number in range(rounds):
        with fresh_stack(work) as stack:
            sides = {PLAIN: partial(plain_round, stack, corpus, embeddings), OURS: partial(our_round, stack, corpus)}
            for side in list(sides)[:: -1 if number % 2 else 1]:
                tell(f"{corpus.name}, round {number + 1} of {rounds}: {side} begins")
                taken[side].append(sides[side]())
                tell(f"{side}: {taken[side][-1]}")
            if number == rounds - 1:
                show(corpus, taken)
                last(stack, corpus)


def plain_round(stack: full_stack.Stack, corpus: Corpus, embeddings: plain.MiniLM) -> Round:
    """The recipe, on the stack's Chroma server."""
    with plain.store(stack.desk.settings.chroma_url, embeddings) as collection:
        chunks, seconds = plain.ingest(corpus.home, collection)
        tell(f"{chunks} chunks in {seconds:.1f} s; searching")
        return Round(chunks, seconds, plain.ndcg_at_10(collection, corpus.home, corpus.questions))


def our_round(stack: full_stack.Stack, corpus: Corpus) -> Round:
    """Frontdesk, from the folder's arrival in the inbox until every file answers."""
    before = indexed_chunks(stack)
    with weighed(stack) as peaks:
        seconds = drop_and_wait(stack, corpus)
    shown = ", ".join(f"{name} {size / 1e9:.2f} GB" for name, size in sorted(peaks.items()))
    tell(f"peak resident memory, each with its children: {shown}")
    chunks = indexed_chunks(stack) - before
    reports = ranking.evaluate(stack.desk, corpus.questions, tell)
    return Round(chunks, seconds, next(one.ndcg_at_10 for one in reports if one.leg == "hybrid"))


def under_load(stack: full_stack.Stack, corpus: Corpus, more: Corpus) -> None:
    """Time search while all is quiet, then on the same index while more files come in."""
    tell(f"searching for {QUIET_SECONDS} s while all is quiet")
    with asking(stack.desk, corpus.questions) as quiet:
        time.sleep(QUIET_SECONDS)
    tell(f"searching while {more.files} more files come in")
    with asking(stack.desk, corpus.questions) as busy:
        seconds = drop_and_wait(stack, more)
    print(f"search, {corpus.files} files indexed, quiet: {spread_ms(quiet)}")
    print(f"search, while {more.files} more come in ({seconds:.0f} s): {spread_ms(busy)}")
    print(f"search, p95 during the bulk / quiet: {percentile(busy, 95) / percentile(quiet, 95):.2f}")


def only_under_load(work: Path, corpus: Corpus, more: Corpus) -> None:
    """Time search as above, without the plain recipe."""
    with fresh_stack(work) as stack:
        tell(f"{corpus.name}: {corpus.files} files in {drop_and_wait(stack, corpus):.0f} s")
        under_load(stack, corpus, more)


@contextmanager
def fresh_stack(work: Path) -> Iterator[full_stack.Stack]:
    """A running Frontdesk with one short file, which keeps the sample company away; its data is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="stack-", dir=work) as folder:
        tell("starting a fresh stack")
        (Path(folder) / "inbox").mkdir()
        (Path(folder) / "inbox" / "first.txt").write_text("This file is here so that every part has worked once.\n")
        with full_stack.running(Path(folder), load_settings().models.resolve()) as stack:
            wait_until_answerable(stack, 1)
            yield stack


def drop_and_wait(stack: full_stack.Stack, corpus: Corpus) -> float:
    """Seconds from the renaming of a copy of the files into the inbox until all of them answer or have failed."""
    copy = stack.inbox.parent / "copied"  # outside the inbox, on its file system
    shutil.copytree(corpus.home, copy)
    count = answerable(stack) + corpus.files
    begun = time.perf_counter()
    for folder in list(copy.iterdir()):
        folder.rename(stack.inbox / folder.name)
    wait_until_answerable(stack, count)
    seconds = time.perf_counter() - begun
    copy.rmdir()
    return seconds


def wait_until_answerable(stack: full_stack.Stack, count: int) -> None:
    """Return once so many documents answer or have failed; what failed is named."""
    looked = time.monotonic()
    while answerable(stack) < count:
        time.sleep(LOOK_SECONDS)
        if time.monotonic() - looked > TELL_SECONDS:
            looked = time.monotonic()
            known = documents.listing(stack.desk.database)
            failed = [one for one in known if one.state in ENDED[1:]]
            tell(f"{answerable(stack)} of {count} answer, {len(known)} are known, {len(failed)} failed")
            if sum(one.state in ENDED for one in known) >= count:
                tell(f"FAILED: {'; '.join(f'{one.path}: {one.error}' for one in failed[:5])}")
                return


def answerable(stack: full_stack.Stack) -> int:
    """How many documents answer: a cheap query, so that looking takes nothing from the ingest."""
    query = sa.select(sa.func.count()).where(db.documents.c.active_version_id.is_not(None))
    return int(db.rows(stack.desk.database, query)[0][0])


def indexed_chunks(stack: full_stack.Stack) -> int:
    """How many chunks the documents have."""
    return sum(document.chunks for document in documents.listing(stack.desk.database))


def show(corpus: Corpus, taken: Mapping[str, Sequence[Round]]) -> None:
    """The figures of both sides, as medians with the smallest and the largest, and their ratio."""
    print(f"\n{corpus.name}: {corpus.files} files, {corpus.words} words, {len(corpus.questions)} questions")
    for side, rounds in taken.items():
        print(f"  {side}: {rounds[0].chunks} chunks, {spread([one.seconds for one in rounds])} s, ", end="")
        for unit, count in (("files", corpus.files), ("words", corpus.words), ("chunks", rounds[0].chunks)):
            print(f"{spread([count / one.seconds for one in rounds])} {unit}/s, ", end="")
        print(f"nDCG@10 {statistics.median(one.ndcg for one in rounds):.3f}")
    in_words = [of_plain.seconds / ours.seconds for of_plain, ours in zip(taken[PLAIN], taken[OURS], strict=True)]
    in_chunks = [ratio * taken[OURS][0].chunks / taken[PLAIN][0].chunks for ratio in in_words]
    print(f"  {OURS} / {PLAIN}, round by round: ", end="")
    print(f"{spread(in_words)} in words/s and files/s, {spread(in_chunks)} in chunks/s\n", flush=True)


def _corpus(home: Path, asked: Sequence[Question]) -> Corpus:
    texts = [place.read_text(encoding="utf-8") for place in home.rglob("*.md")]
    return Corpus(home.name, home, asked, len(texts), sum(len(text.split()) for text in texts))


def _file_of(doc_id: str) -> str:
    return f"emanual/{doc_id}.md"


if __name__ == "__main__":
    main()
