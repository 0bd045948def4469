"""A hundred changes of the version that speaks, while customers ask: is the next answer the new version's, and does any
question fail?

`python -m tests.benchmarks.swaps [--swaps 100] [--clients 3]`: the whole stack with the small model, two adapters of
random numbers that are promoted in turn.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

from transformers.utils.logging import disable_progress_bar

from bot import adapters, consult, db, documents
from bot.desk import Desk
from bot.errors import FrontdeskError
from bot.records import Question
from bot.serving.weights import locate
from bot.settings import load_settings
from ingest import sample
from tests import full_stack
from tests.benchmarks.meters import shared_host
from tests.benchmarks.serving import make_adapters
from tests.meanwhile import repeatedly

NAMES = ("style-v1", "style-v2")


@shared_host()
def main() -> None:
    """Promote in turn under load and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--clients", type=int, default=3)
    chosen = parser.parse_args()
    disable_progress_bar()
    models = load_settings().models.resolve()
    with (
        tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder,
        full_stack.running(Path(folder), models) as stack,
    ):
        wanted = len(sample.paths())
        full_stack.wait_until(lambda: documents.count_by_state(stack.desk.database).get("indexed", 0) == wanted)
        register(stack.desk, Path(folder) / "adapters")
        asked, failed = list[str](), list[str]()
        with repeatedly(partial(ask, stack.desk, cycle(sample.questions()), asked, failed), chosen.clients):
            seconds, others = swap(stack.desk, chosen.swaps)
    print(
        f"{chosen.swaps} promotions while {chosen.clients} clients asked: {others} next answers were another "
        f"version's, {len(failed)} of {len(asked)} questions failed; from the promotion to its first "
        f"whole answer {statistics.median(seconds):.2f} s (median; {min(seconds):.2f} to {max(seconds):.2f})"
    )


def register(desk: Desk, place: Path) -> None:
    """Two adapters that may be promoted."""
    made = make_adapters(locate(desk.settings.model, desk.settings), place)
    for name, path in zip(NAMES, made.values(), strict=False):
        with db.writing(desk.database) as connection:
            base = desk.settings.model
            adapters.register(connection, name, str(path), base=base, meta={}, report={}, state="candidate")


def swap(desk: Desk, times: int) -> tuple[list[float], int]:
    """Promote and ask, in turn: seconds from each promotion to the answer, and how many another version gave."""
    seconds, others = [], 0
    asked = cycle(one.text for one in sample.questions() if one.answerable)
    for at in range(times):
        name = NAMES[at % len(NAMES)]
        begun = time.perf_counter()
        adapters.activate(desk.database, name)
        answer = consult.ask(desk, next(asked))
        seconds.append(time.perf_counter() - begun)
        others += answer.adapter != name
    return seconds, others


def ask(desk: Desk, questions: Iterator[Question], asked: list[str], failed: list[str]) -> None:
    """The next question, as a customer asks it."""
    question = next(questions).text
    asked.append(question)
    try:
        consult.ask(desk, question)
    except FrontdeskError as error:
        print(f"failed: {error}", flush=True)
        failed.append(question)


if __name__ == "__main__":
    main()
