"""How long a search takes on an index that is not small, each question asked for the first time.

`python -m tests.benchmarks.retrieval [--chunks 10000] [--questions 300]` indexes generated manuals through the whole
stack, then asks for what they say, each question once, so that nothing is known of any. The target is 60 ms at the 95th
percentile.
"""

import argparse
import tempfile
import time
from pathlib import Path

from bot import retrieve
from bot.desk import Desk
from bot.records import Question
from tests.benchmarks import bulk, freshness, manuals
from tests.benchmarks.meters import spread_ms, tell

K = 5
WARM_UP = 20
LEGS = {"dense": ("dense",), "lexical": ("lexical",), "hybrid": retrieve.LEGS}


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=10_000, help="how large the index is")
    parser.add_argument("--questions", type=int, default=300, help="how many are asked of each leg")
    chosen = parser.parse_args()
    # questions of another seed ask for other things of the same companies, in the same words
    asked = [one.question for one in manuals.generate(WARM_UP + 3 * chosen.questions, seed=200)]
    with tempfile.TemporaryDirectory(prefix="frontdesk-retrieval-") as folder, bulk.fresh_stack(Path(folder)) as stack:
        freshness.build_up(stack, Path(folder), chosen.chunks)
        times(stack.desk, "hybrid", asked[:WARM_UP])
        tell(f"asking {chosen.questions} questions a leg")
        for number, leg in enumerate(LEGS):
            start = WARM_UP + number * chosen.questions
            print(f"search, {leg}: {spread_ms(times(stack.desk, leg, asked[start : start + chosen.questions]))}")


def times(desk: Desk, leg: str, asked: list[Question]) -> list[float]:
    """Milliseconds of a search for each question, one after another."""
    taken = []
    for question in asked:
        begun = time.perf_counter()
        retrieve.search(desk, question.text, K, legs=LEGS[leg])
        taken.append(1000 * (time.perf_counter() - begun))
    return taken


if __name__ == "__main__":
    main()
