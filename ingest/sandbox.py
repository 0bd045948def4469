"""Reads a file in a child process that can do little harm: bounded memory, time and file size, no secrets.

Run as `python -m ingest.sandbox FILE`, it prints the reading as JSON, or {"error": "one sentence"}.
"""

import json
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from bot.errors import UnreadableDocument
from bot.leash import die_with_parent
from ingest.readers.reading import Block, Reading

MEMORY_BYTES = 2 * 1024**3
CPU_SECONDS = 60
WALL_SECONDS = 120
WRITTEN_BYTES = 200_000_000


def read(path: Path) -> Reading:
    """Read a file in the sandbox. Raises `UnreadableDocument` with one sentence for the content owner."""
    try:
        child = subprocess.run(
            [sys.executable, "-m", "ingest.sandbox", str(path)],
            capture_output=True,
            timeout=WALL_SECONDS,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableDocument(f"'{path.name}' took longer than {WALL_SECONDS} s to read; split it.") from error
    if child.returncode != 0 or not child.stdout:
        raise UnreadableDocument(f"'{path.name}' could not be read within the limits; it is too large or damaged.")
    answer = json.loads(child.stdout)
    if "error" in answer:
        raise UnreadableDocument(answer["error"])
    return Reading(answer["title"], tuple(Block(**block) for block in answer["blocks"]), answer["pages"])


def _limit() -> None:
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN_BYTES, WRITTEN_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """The child: limit itself, read, print."""
    _limit()
    from ingest import readers  # after the limits, so that they hold for what the readers load

    path = Path(sys.argv[1])
    try:
        print(json.dumps(asdict(readers.read(path))))
    except UnreadableDocument as error:
        print(json.dumps({"error": str(error)}))
    except Exception as error:  # noqa: BLE001 - the edge of a process that exists to contain its readers' failures
        print(error, file=sys.stderr)
        print(json.dumps({"error": f"'{path.name}' is damaged or not what its content claims; export it again."}))


if __name__ == "__main__":
    main()
