"""What the readers make of a folder of documents: `python -m tests.benchmarks.documents FOLDER`.

Prints a line a file: its kind, whether it was read, refused with a sentence or killed, and what came of it.
"""

import sys
import time
from collections import Counter
from pathlib import Path

from bot.errors import ReaderKilled, UnreadableDocument
from ingest import sandbox

FIRST = 30  # by then both nurseries have read something


def main() -> None:
    """Read every file of a folder in the sandbox and print the table."""
    folder = Path(sys.argv[1])
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    states: Counter[str] = Counter()
    before = 0
    started = time.perf_counter()
    print(f"{'file':50} {'kind':6} {'state':7} {'blocks':>7} {'chars':>9} {'pages':>5} {'ms':>6}  sentence")
    for number, path in enumerate(files):
        state, figures = measure(path)
        before = resident() if number == FIRST else before
        states[state] += 1
        print(f"{str(path.relative_to(folder))[-50:]:50} {path.suffix[1:7]:6} {state:7} {figures}")
    print(f"{len(files)} files in {time.perf_counter() - started:.1f} s: {dict(states)}")
    print(f"the nurseries' peak memory: {before} MB after the first files, {resident()} MB after the last")


def measure(path: Path) -> tuple[str, str]:
    """A file's state and the rest of its line."""
    started = time.perf_counter()
    blocks = characters = pages = 0
    state, sentence = "read", ""
    try:
        reading = sandbox.read(path)
        blocks, characters = len(reading.blocks), sum(len(block.text) for block in reading.blocks)
        pages, sentence = reading.pages or 0, " ".join(reading.notes)
    except UnreadableDocument as error:
        state, sentence = "refused", str(error)
    except ReaderKilled as error:
        state, sentence = "killed", str(error)
    took = (time.perf_counter() - started) * 1000
    return state, f"{blocks:7} {characters:9} {pages or '':5} {took:6.0f}  {sentence}"


def resident() -> int:
    """The most memory that the nurseries have held so far, in MB."""
    pids = [one.pid for one in (sandbox.words, sandbox.markup, sandbox.office) if one.pid]
    states = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(int(state.split("VmHWM:")[1].split()[0]) for state in states) // 1024


if __name__ == "__main__":
    main()
