"""`frontdesk status`: what runs, what it costs, and how the work stands. Looking changes nothing."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from bot import db, documents, jobs
from bot.settings import Settings
from workers import lock, readiness, supervise
from workers.processes import Process, processes
from workers.supervise import State

MEGABYTE_IN_KILOBYTES = 1024


@dataclass(frozen=True)
class Running:
    """One process as it is now. `resident_mb` counts its children too, and what they share only once."""

    name: str
    state: Literal["up", "starting", "down"]
    pid: int | None
    port: int | None
    resident_mb: float


def show(settings: Settings, as_json: bool) -> None:
    """Print everything."""
    data = settings.data_dir.resolve()
    launcher = lock.holder(data)
    running = look(settings, data, launcher)
    waiting, kept = _work(settings)
    if as_json:
        print(_json(settings, launcher, running, waiting, kept))
    else:
        _draw(Console(), settings, data, launcher, running)
        print(f"Jobs: {_counted(waiting)}. Documents: {_counted(kept)}.")


def look(settings: Settings, data: Path, launcher: int | None) -> list[Running]:
    """Every process of the launcher that holds this data folder, asked whether it answers; none without a launcher."""
    if launcher is None:
        return []
    states = supervise.states(data)
    ours = [process for process in processes(settings) if process.name in states]
    with ThreadPoolExecutor(len(ours) or 1) as pool:
        ready = pool.map(lambda process: readiness.is_ready(process, states[process.name]), ours)
    children = _children()
    own = Running("launcher", "up", launcher, None, _resident_mb([launcher, *children.get(launcher, [])]))
    rows = zip(ours, ready, strict=True)
    return [*(_running(process, states[process.name], answers, children) for process, answers in rows), own]


def _running(process: Process, state: State, ready: bool, children: Mapping[int, list[int]]) -> Running:
    if not state.pid:
        return Running(process.name, "down", None, process.port, 0.0)
    family = _family(state.pid, children)
    return Running(process.name, "up" if ready else "starting", state.pid, process.port, _resident_mb(family))


def _work(settings: Settings) -> tuple[dict[str, int], dict[str, int]]:
    """Jobs by state and documents by state; both empty where there are no tables yet."""
    engine = db.connect(settings.database)
    if not sa.inspect(engine).has_table("jobs"):
        return {}, {}
    return jobs.count_by_state(engine), {
        str(state): number for state, number in documents.count_by_state(engine).items()
    }


def _json(
    settings: Settings,
    launcher: int | None,
    running: list[Running],
    waiting: dict[str, int],
    kept: dict[str, int],
) -> str:
    return json.dumps(
        {
            "running": launcher is not None,
            "url": f"http://127.0.0.1:{settings.ui_port}" if launcher else None,
            "processes": [asdict(process) for process in running],
            "resident_mb": round(sum(process.resident_mb for process in running), 1),
            "jobs": waiting,
            "documents": kept,
        }
    )


def _draw(console: Console, settings: Settings, data: Path, launcher: int | None, running: list[Running]) -> None:
    if launcher is None:
        console.print(f"Nothing is running on {data}; `frontdesk up` starts it.", soft_wrap=True, highlight=False)
        return
    table = Table("process", "state", "pid", "port", "MB", box=None, header_style="bold", show_footer=False)
    for process in running:
        colour = {"up": "green", "starting": "yellow", "down": "red"}[process.state]
        cells = (str(process.pid or ""), str(process.port or ""), f"{process.resident_mb:.0f}")
        table.add_row(process.name, f"[{colour}]{process.state}[/]", *cells)
    table.add_row("sum", "", "", "", f"{sum(process.resident_mb for process in running):.0f}", style="bold")
    console.print(table)
    console.print(f"Frontdesk is at http://127.0.0.1:{settings.ui_port}", highlight=False)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(counts.items())) or "none"


def _children() -> dict[int, list[int]]:
    """The process ids of this machine by the id of their parent (proc(5))."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # the name, in brackets, may hold anything, so count from its closing bracket
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    return children


def _family(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    return [pid, *(member for child in children.get(pid, []) for member in _family(child, children))]


def _resident_mb(pids: Iterable[int]) -> float:
    """Memory in use, a page that n processes share counted as 1/n in each (Pss in proc(5))."""
    kilobytes = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return round(kilobytes / MEGABYTE_IN_KILOBYTES, 1)
