"""supervisord as our child: its configuration, its start and stop, and what it says of its processes. It restarts
whatever dies; everything it starts is on a leash, so nothing outlives it."""

import shlex
import shutil
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from bot.settings import HOME
from workers.processes import Process, executable

CONFIGURATION_FILE = "run/supervisord.conf"
LONGEST_SOCKET_PATH = 90  # AF_UNIX allows 108 bytes, and supervisord adds its process id while it binds

# Stopping takes at most the two waits: first all that work, then all that serve them.
WORKER_STOP_SECONDS = 7
SERVER_STOP_SECONDS = 5
STOP_SECONDS = WORKER_STOP_SECONDS + SERVER_STOP_SECONDS + 2

PROGRAM = {
    "autorestart": "true",
    "startsecs": "1",
    "startretries": "1000",
    "stopasgroup": "true",
    "killasgroup": "true",
    "redirect_stderr": "true",
    "stdout_logfile_maxbytes": "5MB",
    "stdout_logfile_backups": "2",
}


@dataclass(frozen=True)
class State:
    """What supervisord says of a process. `pid` is 0 and `seconds` means nothing while it does not run."""

    running: bool
    pid: int
    seconds: float


class Supervisor:
    """One supervisord for the processes of one data folder."""

    def __init__(self, data: Path, processes: Sequence[Process], launcher: int, environment: Mapping[str, str]) -> None:
        self.data = data
        self._scratch = _short_folder(data / "run")
        (data / CONFIGURATION_FILE).write_text(_configuration(data, processes, self._scratch / "supervisor.sock"))
        supervisord = [executable("supervisord"), "-c", str(data / CONFIGURATION_FILE)]
        self.child = subprocess.Popen(
            [sys.executable, "-m", "bot.leash", str(launcher), *supervisord],
            cwd=HOME,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for the launcher; the leash goes by the session
        )

    def stop(self) -> None:
        """Stop every process, kindly for `STOP_SECONDS`, then not. A second Ctrl-C ends the kindness."""
        try:
            self.child.terminate()
            self.child.wait(STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self.child.kill()
            self.child.wait()
        finally:
            if self._scratch != self.data / "run":
                shutil.rmtree(self._scratch, ignore_errors=True)


def states(data: Path) -> dict[str, State]:
    """Every process of the supervisord that runs for a data folder; none where it does not answer."""
    try:
        with _proxy(data) as server:
            found: Any = server.supervisor.getAllProcessInfo()
    except (OSError, HTTPException, xmlrpc.client.Error):
        return {}
    return {row["name"]: State(row["statename"] == "RUNNING", row["pid"], row["now"] - row["start"]) for row in found}


def log_file(data: Path, name: str) -> Path:
    """Where the output of a process is kept."""
    return data / "logs" / f"{name}.log"


def _proxy(data: Path) -> xmlrpc.client.ServerProxy:
    configuration = ConfigParser(interpolation=None)
    configuration.read(data / CONFIGURATION_FILE)
    socket = configuration.get("unix_http_server", "file", fallback=str(data / "run/supervisor.sock"))
    return xmlrpc.client.ServerProxy("http://127.0.0.1", SupervisorTransport(None, None, f"unix://{socket}"))


def _short_folder(usual: Path) -> Path:
    if len(str(usual / "supervisor.sock")) <= LONGEST_SOCKET_PATH:
        return usual
    return Path(tempfile.mkdtemp(prefix="frontdesk-"))


def _configuration(data: Path, processes: Sequence[Process], socket: Path) -> str:
    sections: dict[str, Mapping[str, Any]] = {
        "supervisord": {
            "nodaemon": "true",
            "silent": "true",
            "directory": HOME,
            "logfile": log_file(data, "supervisord"),
            "logfile_maxbytes": "1MB",
            "logfile_backups": "1",
            "pidfile": data / "run/supervisord.pid",
        },
        "unix_http_server": {"file": socket, "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        **{f"program:{process.name}": _program(data, process) for process in processes},
        **_group("servers", 1, [process.name for process in processes if process.serves]),
        **_group("workers", 2, [process.name for process in processes if not process.serves]),
    }
    return "\n".join(_section(name, options) for name, options in sections.items())


def _program(data: Path, process: Process) -> dict[str, Any]:
    program, *arguments = process.command
    words = [sys.executable, "-m", "bot.leash", "leader", executable(program), *arguments]
    seconds = SERVER_STOP_SECONDS if process.serves else WORKER_STOP_SECONDS
    output = {"stdout_logfile": log_file(data, process.name), "stopwaitsecs": seconds}
    return {"command": shlex.join(words), **PROGRAM, **output}


def _group(name: str, priority: int, programs: Sequence[str]) -> dict[str, dict[str, Any]]:
    # the group with the highest priority is stopped first, all of its programs at once
    return {f"group:{name}": {"programs": ",".join(programs), "priority": priority}} if programs else {}


def _section(name: str, options: Mapping[str, Any]) -> str:
    lines = [f"{option} = {str(value).replace('%', '%%')}" for option, value in options.items()]
    return "\n".join([f"[{name}]", *lines, ""])
