"""Waiting until every process really answers, with one line a process on the terminal."""

import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from bot.errors import FrontdeskError
from workers import supervise
from workers.processes import Process
from workers.supervise import State

LOOK_SECONDS = 0.2
STEADY_SECONDS = 3
STARTS_ALLOWED = 3
LONGEST_START_SECONDS = 600  # a large model may take minutes to load
LONGEST_REASON = 300


class NotStarted(FrontdeskError):
    """A process that cannot start."""


def wait(console: Console, data: Path, processes: Sequence[Process], supervisor: subprocess.Popen[bytes]) -> None:
    """Return when all are ready. Raises `NotStarted` naming the process that is not, and its log."""
    began = time.monotonic()
    pids: dict[str, set[int]] = defaultdict(set)
    waiting = list(processes)
    with _Board(console, processes) as board:
        while waiting:
            if supervisor.poll() is not None:
                log = supervise.log_file(data, "supervisord")
                raise NotStarted(f"The supervisor of the processes ended; see {log}.")
            states, seconds = supervise.states(data), time.monotonic() - began
            for process in tuple(waiting):
                state = states.get(process.name)
                # what only has to stay up is judged last, when all the others had time to fail
                last = process.answers is None and any(other.answers for other in waiting)
                if not last and is_ready(process, state):
                    board.tick(process, seconds)
                    waiting.remove(process)
                else:
                    board.show(process, f"starting, {seconds:.0f} s")
                    _check(data, process, state, pids[process.name], seconds)
            time.sleep(LOOK_SECONDS)


def is_ready(process: Process, state: State | None) -> bool:
    """Whether a process runs and answers; one that has nothing to answer must have stayed up for a while."""
    if state is None or not state.running:
        return False
    return state.seconds >= STEADY_SECONDS if process.answers is None else process.answers()


def _check(data: Path, process: Process, state: State | None, pids: set[int], seconds: float) -> None:
    if state is not None and state.pid:
        pids.add(state.pid)
    if len(pids) >= STARTS_ALLOWED or seconds > LONGEST_START_SECONDS:
        log = supervise.log_file(data, process.name)
        reason = _last_line(log)
        raise NotStarted(f"The process '{process.name}' cannot start{f' ({reason})' if reason else ''}; see {log}.")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:LONGEST_REASON].rstrip(".") if said else ""


class _Board(Progress):
    """One line a process, alive on a terminal; elsewhere a line when a process is ready."""

    def __init__(self, console: Console, processes: Sequence[Process]) -> None:
        name, state = TextColumn("{task.description:14}"), TextColumn("[dim]{task.fields[state]}[/]")
        spinner = SpinnerColumn(finished_text="[green]✓[/]")
        super().__init__(spinner, name, state, console=console, disable=not console.is_terminal)
        self._lines = {process: self.add_task(process.name, total=1, state="starting") for process in processes}

    def show(self, process: Process, state: str) -> None:
        self.update(self._lines[process], state=state)

    def tick(self, process: Process, seconds: float) -> None:
        self.update(self._lines[process], completed=1, state=f"ready after {seconds:.1f} s")
        if not self.console.is_terminal:
            self.console.print(f"{process.name} is ready after {seconds:.1f} s", highlight=False)
