"""The launcher with a few small processes: the real Redis and Chroma, a page, and one that cannot start."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from rich.console import Console

from bot.errors import FrontdeskError
from bot.settings import Settings
from workers import launch, probes
from workers.processes import LOOPBACK, Process, processes


def table(names: Sequence[str], settings: Settings) -> list[Process]:
    """The processes of these names."""
    port = settings.ui_port
    served = ("--directory", str(settings.data_dir / "logs"))
    page = ("python", "-m", "http.server", str(port), "--bind", LOOPBACK, *served)
    extra = (
        Process("page", page, port, partial(probes.http_answers, f"http://{LOOPBACK}:{port}/")),
        Process("broken", ("python", "-c", "raise SystemExit('no coffee left')"), None, lambda: False),
    )
    return [process for process in (*processes(settings), *extra) if process.name in names]


def main() -> int:
    """`python -m tests.workers.small_stack NAME... [--port N]`"""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+")
    parser.add_argument("--port", type=int)
    chosen = parser.parse_args()
    try:
        launch.up(Console(), chosen.port, browser=False, table=partial(table, chosen.names), models=False)
    except FrontdeskError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
