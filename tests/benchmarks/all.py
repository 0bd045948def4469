"""`make bench`: what the small model and the whole stack do on this machine. Prints figures and asserts nothing."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from bot import consult, documents
from bot.quality import ranking
from bot.settings import load_settings
from ingest import sample, scratch
from tests import full_stack
from tests.benchmarks import training

DROPS = 20
ASKED = 10


def main() -> None:
    """Print every figure."""
    models = load_settings().models.resolve()
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        with full_stack.running(Path(folder), models) as stack:
            print(f"start: {stack.ready_seconds:.1f} s until ready, with the models there")
            wait_until_indexed(stack, len(sample.paths()))
            print(f"memory: {resident_gigabytes(stack):.2f} GB resident, all processes together, idle")
            search(stack)
            drops(stack)
            answers(stack)
        training.main()


def resident_gigabytes(stack: full_stack.Stack) -> float:
    """Proportional set size of the launcher and all its children: a page that two processes share counts once."""
    launcher = psutil.Process(stack.launcher.pid)
    family = [launcher, *launcher.children(recursive=True)]
    return sum(process.memory_full_info().pss for process in family) / 1e9


def search(stack: full_stack.Stack) -> None:
    """Recall on the sample set, each leg alone and both."""
    with scratch.library(stack.desk, scratch.from_files(sample.paths())) as library:
        for report in ranking.evaluate(library, sample.questions(), lambda _: None):
            print(f"search, {report.leg}: recall@5 {report.recall_at_5:.3f}, nDCG@10 {report.ndcg_at_10:.3f}, ", end="")
            print(f"{report.query_ms:.1f} ms a query ({report.questions} questions)")


def drops(stack: full_stack.Stack) -> None:
    """Seconds from the last write of a text file until it is found, one after another."""
    seconds = []
    for n in range(DROPS):
        fact = f"Parcel locker {n} in Quillmouth opens with code QX-{4000 + n}."
        begun = time.perf_counter()
        (stack.inbox / f"locker-{n}.txt").write_text(f"LOCKER {n}\n\n{fact}\n")
        wait_until_indexed(stack, len(sample.paths()) + n + 1)
        seconds.append(time.perf_counter() - begun)
    print(f"drop to answerable, {DROPS} text files: {spread(seconds, 's')}")


def answers(stack: full_stack.Stack) -> None:
    """First-token and total time of an answer, one customer at a time."""
    asked = [question for question in sample.questions() if question.answerable and not question.history][:ASKED]
    given = [answer for one in asked if not (answer := consult.ask(stack.desk, one.text)).abstained]
    print(f"answer, first token: {spread([answer.timings_ms.first_token / 1000 for answer in given], 's')}")
    print(f"answer, first sentence: {spread([answer.timings_ms.first_sentence / 1000 for answer in given], 's')}")
    print(f"answer, total: {spread([answer.timings_ms.total / 1000 for answer in given], 's')}")


def wait_until_indexed(stack: full_stack.Stack, count: int) -> None:
    """Return once so many documents answer."""
    while sum(document.state == "indexed" for document in documents.listing(stack.desk.database)) < count:
        time.sleep(0.02)


def spread(values: Sequence[float], unit: str) -> str:
    """Median, with the smallest and the largest."""
    return f"median {statistics.median(values):.2f} {unit} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
