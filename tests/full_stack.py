"""The whole of Frontdesk, started as a person starts it: `frontdesk up` in a folder of its own."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from bot.desk import Desk, open_desk
from bot.settings import HOME, inherited_environment, load_settings
from workers import supervise

PROGRAMS = Path(sys.executable).parent
START_SECONDS = 240
STOP_SECONDS = 60


class Stack:
    """A Frontdesk on a data folder, which can be started, stopped and started again."""

    def __init__(self, data: Path, models: Path, **settings: object) -> None:
        self.data = data
        (data / "inbox").mkdir(parents=True, exist_ok=True)
        self._settings = {"data_dir": data, "models_dir": models, "inbox_dir": data / "inbox", **settings}
        chosen = {f"FRONTDESK_{name.upper()}": str(value) for name, value in self._settings.items()}
        self.environment = inherited_environment() | chosen
        self.password = ""

    def start(self) -> None:
        """Start everything on free ports and wait until it is ready."""
        output, begun = self.data / "output", time.monotonic()
        with output.open("w") as log:
            command = [PROGRAMS / "frontdesk", "up", "--no-browser"]
            self.launcher = subprocess.Popen(
                command, cwd=HOME, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(lambda: "is ready at" in output.read_text() or self.launcher.poll() is not None, START_SECONDS)
        assert self.launcher.poll() is None, output.read_text()
        self.ready_seconds = time.monotonic() - begun
        said = re.sub(r"\x1b\[[\d;]*m", "", output.read_text())
        url = re.search(r"ready at (\S+)", said)
        assert url
        self.url = url[1]
        if password := re.search(r"staff password is (\S+)", said):  # it is said only once
            self.password = password[1]
        self.desk: Desk = open_desk(load_settings(**self._settings))

    def stop(self) -> None:
        """Stop everything."""
        self.launcher.send_signal(signal.SIGTERM)
        self.launcher.wait(STOP_SECONDS)

    @property
    def inbox(self) -> Path:
        """The drop folder."""
        return self.desk.settings.inbox_dir

    def frontdesk(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A `frontdesk` command on the same data."""
        command = [PROGRAMS / "frontdesk", *words]
        return subprocess.run(command, cwd=HOME, env=self.environment, capture_output=True, text=True, check=False)

    def process(self, name: str) -> psutil.Process | None:
        """The process of this name as it runs now; None while it does not."""
        state = supervise.states(self.data).get(name)
        if state is None or not state.pid:
            return None
        with suppress(psutil.NoSuchProcess):  # it ended while we looked
            return psutil.Process(state.pid)
        return None

    def family(self, name: str) -> list[psutil.Process]:
        """The process of this name and all that it started."""
        process = self.process(name)
        assert process, f"{name} does not run"
        return [process, *process.children(recursive=True)]

    def kill(self, name: str) -> None:
        """`kill -9` of the process of this name alone, and wait until another one runs in its place."""
        victim = self.process(name)
        assert victim, f"{name} does not run"
        victim.kill()
        wait_until(lambda: (found := self.process(name)) and found.pid != victim.pid, STOP_SECONDS)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """The process and all that it started stand still, as if their machine hung (SIGSTOP)."""
        frozen = self.family(name)
        for process in frozen:
            process.suspend()
        try:
            yield
        finally:
            for process in frozen:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """The process is down, and its supervisor leaves it so."""
        self._supervise("stop", name)
        try:
            yield
        finally:
            self._supervise("start", name)

    def _supervise(self, word: str, name: str) -> None:
        known = ConfigParser(interpolation=None)
        known.read(self.data / supervise.CONFIGURATION_FILE)
        group = next(one for one in ("servers", "workers") if name in known[f"group:{one}"]["programs"].split(","))
        server = f"unix://{known['unix_http_server']['file']}"
        subprocess.run([PROGRAMS / "supervisorctl", "-s", server, word, f"{group}:{name}"], check=True)


@contextmanager
def running(data: Path, models: Path, **settings: object) -> Iterator[Stack]:
    """A stack that is up, and is stopped afterwards."""
    stack = Stack(data, models, **settings)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Look again and again until the condition holds; fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.05)
