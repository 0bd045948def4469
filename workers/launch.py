"""`frontdesk up` and `frontdesk down`: everything that runs, started together, waited for, and stopped together."""

import os
import signal
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from bot import db, staff
from bot.desk import open_desk
from bot.errors import FrontdeskError
from bot.serving import weights
from bot.settings import Settings, inherited_environment, load_settings
from ingest import sample
from workers import endpoints, lock, readiness
from workers.processes import Process, processes
from workers.supervise import STOP_SECONDS, Supervisor

FOLDERS = ("run", "logs", "redis", "chroma", "models", "adapters")
LOOK_SECONDS = 0.2

Table = Callable[[Settings], Sequence[Process]]


class Ended(FrontdeskError):
    """What the launcher watches over is gone."""


def up(
    console: Console, port: int | None = None, *, browser: bool = True, table: Table = processes, models: bool = True
) -> None:
    """Start everything, say where it is, and stay until told to stop. `models` checks for their weights first."""
    settings = load_settings()
    data = settings.data_dir.resolve()
    settings = settings.model_copy(update={"data_dir": data})
    for folder in (*(data / name for name in FOLDERS), settings.inbox_dir):
        folder.mkdir(parents=True, exist_ok=True)
    (data / "run").chmod(0o700)
    with lock.held(data), _signals_as_interrupts():
        elsewhere = endpoints.chosen_by_operator()
        if models and "model_url" not in elsewhere:
            for name in (settings.model, settings.embedding_model):
                weights.locate(name, settings)
        settings = endpoints.prepare(settings, port)
        own = [process for process in table(settings) if process.address not in elsewhere]
        _run(console, settings, data, own, browser)


def down(console: Console) -> None:
    """Stop the launcher of this data folder, and with it everything that it started."""
    data = load_settings().data_dir.resolve()
    pid = lock.holder(data)
    if pid is None:
        console.print(f"Nothing is running on {data}.", soft_wrap=True)
        return
    with console.status("Stopping"):
        deadline = time.monotonic() + STOP_SECONDS + 5
        _signal(pid, signal.SIGTERM)
        while lock.holder(data) == pid:
            if time.monotonic() > deadline:
                _signal(pid, signal.SIGKILL)  # the leash ends the rest
            time.sleep(LOOK_SECONDS)
    console.print("Frontdesk is stopped.")


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)


def _run(console: Console, settings: Settings, data: Path, own: Sequence[Process], browser: bool) -> None:
    engine = db.connect(settings.database)
    db.migrate(engine)
    if any(process.name == "watcher" for process in own):  # it will find what is there from the start
        sample.install(open_desk(settings))
    supervisor = Supervisor(data, own, os.getpid(), _environment(settings, data))
    try:
        readiness.wait(console, data, own, supervisor.child)
        _announce(console, settings, staff.ensure_password(engine), browser)
        while supervisor.child.poll() is None:
            time.sleep(LOOK_SECONDS)
        raise Ended(f"The supervisor of the processes ended, so everything is stopped; see {data / 'logs'}.")
    except KeyboardInterrupt:
        console.print("Stopping.")
    finally:
        supervisor.stop()
    console.print("Frontdesk is stopped.")


def _announce(console: Console, settings: Settings, password: str | None, browser: bool) -> None:
    url = f"http://127.0.0.1:{settings.ui_port}"
    console.print(f"\nFrontdesk is ready at [bold]{url}[/]", highlight=False)
    if password:
        console.print(f"The staff password is [bold]{password}[/]", highlight=False)
        console.print("It is shown this once; `frontdesk password` sets another one.", style="dim")
    console.print("Ctrl-C or `frontdesk down` stops it.", style="dim")
    environment = inherited_environment()
    if browser and ("DISPLAY" in environment or "WAYLAND_DISPLAY" in environment):
        webbrowser.open(url)


def _environment(settings: Settings, data: Path) -> dict[str, str]:
    """What the children start from. They run in another folder, so their places are absolute."""
    places = {"DATA_DIR": data, "MODELS_DIR": settings.models.resolve(), "INBOX_DIR": settings.inbox_dir.resolve()}
    return inherited_environment() | {f"FRONTDESK_{name}": str(place) for name, place in places.items()}


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Let a request to end, and a closed terminal, do what Ctrl-C does."""
    # a shell lets what it starts in the background ignore SIGINT
    meant = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in meant}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
