"""The whole of Frontdesk, started as a person starts it: `frontdesk up` in a folder of its own."""

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bot.desk import Desk, open_desk
from bot.settings import HOME, inherited_environment, load_settings

START_SECONDS = 240


@dataclass(frozen=True)
class Stack:
    """A running Frontdesk."""

    launcher: subprocess.Popen[bytes]
    desk: Desk
    url: str
    password: str
    ready_seconds: float

    @property
    def inbox(self) -> Path:
        """The drop folder."""
        return self.desk.settings.inbox_dir

    def process(self, words: str) -> psutil.Process | None:
        """The first process of this stack whose command line holds these words."""
        for process in psutil.Process(self.launcher.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended while we looked
                if words in " ".join(process.cmdline()) and "bot.leash" not in process.cmdline():
                    return process
        return None


@contextmanager
def running(data: Path, models: Path, **settings: object) -> Iterator[Stack]:
    """Start everything on free ports, wait until it is ready, stop it afterwards."""
    inbox, output = data / "inbox", data / "output"
    inbox.mkdir(parents=True, exist_ok=True)
    chosen = {"data_dir": data, "models_dir": models, "inbox_dir": inbox, **settings}
    environment = inherited_environment() | {f"FRONTDESK_{name.upper()}": str(value) for name, value in chosen.items()}
    begun = time.monotonic()
    with output.open("w") as log:
        command = [str(Path(sys.executable).parent / "frontdesk"), "up", "--no-browser"]
        launcher = subprocess.Popen(command, cwd=HOME, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: "is ready at" in output.read_text() or launcher.poll() is not None, START_SECONDS)
        assert launcher.poll() is None, output.read_text()
        took = time.monotonic() - begun
        said = re.sub(r"\x1b\[[\d;]*m", "", output.read_text())
        url = re.search(r"ready at (\S+)", said)
        password = re.search(r"staff password is (\S+)", said)
        assert url
        known = load_settings(**chosen)
        yield Stack(launcher, open_desk(known), url[1], password[1] if password else "", took)
    finally:
        launcher.send_signal(signal.SIGTERM)
        launcher.wait(60)


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Look again and again until the condition holds; fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.05)
