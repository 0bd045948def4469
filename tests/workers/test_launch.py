"""`frontdesk up` and `frontdesk down`, with real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from dotenv import dotenv_values

from bot.settings import HOME
from tests.full_stack import wait_until
from workers import endpoints, lock, supervise

STACK = ("broker", "vectors", "page")
PATIENCE_SECONDS = 60
wait_for = partial(wait_until, seconds=PATIENCE_SECONDS)


class Stack:
    """A launcher in a process of its own."""

    def __init__(self, data: Path, *arguments: str, **settings: str) -> None:
        self.data = data
        data.mkdir(parents=True, exist_ok=True)
        self.output = data / "output"
        with self.output.open("w") as output:
            self.launcher = subprocess.Popen(
                [sys.executable, "-m", "tests.workers.small_stack", *arguments],
                cwd=HOME,
                env=environment(data, **settings),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> "Stack":
        wait_for(lambda: "is ready at" in self.said() or self.launcher.poll() is not None)
        assert self.launcher.poll() is None, self.said()
        return self

    def said(self) -> str:
        return self.output.read_text()

    def addresses(self) -> dict[str, str]:
        return {name: value or "" for name, value in dotenv_values(self.data / "run/endpoints.env").items()}

    def ports(self) -> list[int]:
        addresses = self.addresses()
        urls = [addresses["FRONTDESK_REDIS_URL"], addresses["FRONTDESK_CHROMA_URL"]]
        return [*(urlsplit(url).port or 0 for url in urls), int(addresses["FRONTDESK_UI_PORT"])]

    def leaves_nothing(self) -> bool:
        return not processes_of(self.data) and not any(map(is_open, self.ports()))


@pytest.fixture
def stacks() -> Iterator[list[Stack]]:
    """Launchers that are stopped at the end, however the test goes."""
    started: list[Stack] = []
    yield started
    for stack in started:
        with suppress(ProcessLookupError):
            stack.launcher.kill()
        stack.launcher.wait()
        wait_for(lambda stack=stack: not processes_of(stack.data))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One launcher that is up."""
    running = Stack(tmp_path_factory.mktemp("stack") / "data", *STACK)
    try:
        yield running.wait_until_ready()
    finally:
        running.launcher.kill()
        running.launcher.wait()


def test_it_says_when_all_is_ready_where_it_is_and_the_password_of_the_staff(stack: Stack) -> None:
    said = stack.said()
    for name in STACK:
        assert f"{name} is ready after" in said
    assert said.count("http://") == 1
    assert f"Frontdesk is ready at http://127.0.0.1:{stack.ports()[2]}" in said
    assert said.count("The staff password is ") == 1
    assert all(map(is_open, stack.ports()))


def test_its_keys_are_readable_by_nobody_else(stack: Stack) -> None:
    assert (stack.data / "run/endpoints.env").stat().st_mode & 0o777 == 0o600
    assert (stack.data / "run").stat().st_mode & 0o777 == 0o700
    assert len(stack.addresses()["FRONTDESK_MODEL_API_KEY"]) >= 32


def test_a_killed_process_comes_back_on_its_port(stack: Stack) -> None:
    # given
    port = stack.ports()[0]
    before = supervise.states(stack.data)["broker"].pid
    # when
    os.kill(before, signal.SIGKILL)
    # then
    wait_for(lambda: supervise.states(stack.data)["broker"].pid not in (0, before))
    wait_for(lambda: is_open(port))
    assert stack.ports()[0] == port


def test_redis_keeps_what_it_is_given_and_refuses_rather_than_forgets(stack: Stack) -> None:
    with redis.Redis.from_url(stack.addresses()["FRONTDESK_REDIS_URL"], decode_responses=True) as client:
        chosen = {name: client.config_get(name)[name] for name in ("appendonly", "appendfsync", "maxmemory-policy")}
    assert chosen == {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}


def test_no_port_is_open_beyond_the_loopback_address(stack: Stack) -> None:
    # 127.0.0.2 is this machine too, but only what listens everywhere answers there
    assert not any(is_open(port, "127.0.0.2") for port in stack.ports())


def test_a_second_start_on_the_same_data_is_refused_with_a_sentence(stack: Stack) -> None:
    second = frontdesk(stack.data, "up", "--no-browser")
    assert second.returncode == 1
    assert second.stderr.startswith(f"Frontdesk is already running on {stack.data} (process {stack.launcher.pid})")
    assert "Traceback" not in second.stderr
    assert all(map(is_open, stack.ports()))


def test_status_shows_every_process_with_its_memory(stack: Stack) -> None:
    shown = json.loads(frontdesk(stack.data, "status", "--json").stdout)
    assert shown["running"] is True
    rows = {row["name"]: row for row in shown["processes"]}
    assert rows["broker"]["state"] == rows["vectors"]["state"] == "up"
    assert rows["broker"]["port"] == stack.ports()[0]
    assert all(row["resident_mb"] > 0 for row in rows.values())
    assert shown["resident_mb"] == pytest.approx(sum(row["resident_mb"] for row in rows.values()), abs=0.2)


def test_a_killed_launcher_leaves_nothing_and_down_stops_the_next_one(stacks: list[Stack], tmp_path: Path) -> None:
    # given a data folder whose path is too long for a socket
    data = tmp_path / ("long" * 30)
    stacks.append(first := Stack(data, *STACK).wait_until_ready())
    key = first.addresses()["FRONTDESK_MODEL_API_KEY"]
    # when
    first.launcher.kill()
    # then
    wait_for(first.leaves_nothing)

    # given the next start on what the killed one left behind
    stacks.append(second := Stack(data, *STACK).wait_until_ready())
    assert second.addresses()["FRONTDESK_MODEL_API_KEY"] == key
    assert "password is" not in second.said()
    # when
    began = time.monotonic()
    stopped = frontdesk(data, "down")
    # then
    assert stopped.stdout == "Frontdesk is stopped.\n"
    assert time.monotonic() - began < 20
    assert second.launcher.wait(5) == 0
    assert second.leaves_nothing()
    assert lock.holder(data) is None


def test_a_killed_supervisor_ends_the_launcher_and_leaves_nothing(stacks: list[Stack], tmp_path: Path) -> None:
    # given
    stacks.append(stack := Stack(tmp_path / "data", *STACK).wait_until_ready())
    # when
    os.kill(int((stack.data / "run/supervisord.pid").read_text()), signal.SIGKILL)
    # then
    assert stack.launcher.wait(PATIENCE_SECONDS) == 1
    assert "The supervisor of the processes ended" in stack.said()
    assert "Traceback" not in stack.said()
    wait_for(stack.leaves_nothing)


def test_ctrl_c_while_it_starts_stops_everything(stacks: list[Stack], tmp_path: Path) -> None:
    # given
    stacks.append(stack := Stack(tmp_path / "data", *STACK))
    wait_for(lambda: (stack.data / "run/supervisord.pid").exists())
    # when
    stack.launcher.send_signal(signal.SIGINT)
    # then
    assert stack.launcher.wait(PATIENCE_SECONDS) == 0
    assert stack.said().endswith("Stopping.\nFrontdesk is stopped.\n")
    assert stack.leaves_nothing()


def test_a_part_that_the_operator_runs_elsewhere_is_not_started(stacks: list[Stack], tmp_path: Path) -> None:
    with taken_port() as port:
        elsewhere = f"redis://127.0.0.1:{port}/0"
        stacks.append(stack := Stack(tmp_path / "data", "broker", "page", FRONTDESK_REDIS_URL=elsewhere))
        stack.wait_until_ready()
    assert list(supervise.states(stack.data)) == ["page"]


def test_a_process_that_cannot_start_is_named_with_its_log(stacks: list[Stack], tmp_path: Path) -> None:
    stacks.append(stack := Stack(tmp_path / "data", "broker", "broken"))
    assert stack.launcher.wait(PATIENCE_SECONDS) == 1
    log = stack.data / "logs/broken.log"
    assert f"The process 'broken' cannot start (no coffee left); see {log}." in stack.said()
    assert stack.leaves_nothing()


def test_a_port_that_was_asked_for_and_is_taken_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with taken_port() as port:
        stack = Stack(tmp_path / "data", "page", "--port", str(port))
        assert stack.launcher.wait(PATIENCE_SECONDS) == 1
    assert stack.said().startswith(f"The port {port} is taken by another program")
    assert stack.said().count("\n") == 1


def test_free_ports_are_chosen_where_the_usual_ones_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("FRONTDESK_DATA_DIR", str(tmp_path))
    with taken_port() as port:
        monkeypatch.setattr(endpoints, "USUAL_PORTS", dict.fromkeys(endpoints.USUAL_PORTS, port))
        # when
        settings = endpoints.prepare(endpoints.load_settings(), None)
    # then
    urls = (settings.redis_url.get_secret_value(), settings.chroma_url, settings.model_url)
    chosen = {settings.ui_port, *(urlsplit(url).port for url in urls)}
    assert len(chosen) == 4
    assert port not in chosen


def test_down_says_when_nothing_runs(tmp_path: Path) -> None:
    stopped = frontdesk(tmp_path, "down")
    assert (stopped.returncode, stopped.stdout) == (0, f"Nothing is running on {tmp_path}.\n")


def test_status_works_when_nothing_runs(tmp_path: Path) -> None:
    shown = frontdesk(tmp_path, "status")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"Nothing is running on {tmp_path}")
    assert json.loads(frontdesk(tmp_path, "status", "--json").stdout)["running"] is False


def test_missing_weights_are_one_sentence(tmp_path: Path) -> None:
    started = frontdesk(tmp_path, "up", "--no-browser", FRONTDESK_MODELS_DIR=str(tmp_path / "none"))
    assert started.returncode == 1
    assert started.stderr.count("\n") == 1
    assert "run `frontdesk models pull`" in started.stderr


@pytest.mark.parametrize("command", ["up", "ask x"])
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, command: str) -> None:
    failed = frontdesk(tmp_path, *command.split(), FRONTDESK_PASSAGES="many")
    assert failed.returncode == 1
    assert failed.stderr.startswith("The setting FRONTDESK_PASSAGES is 'many', but ")
    assert failed.stderr.count("\n") == 1


def test_what_nobody_expected_is_one_sentence_and_its_trace_is_kept(tmp_path: Path) -> None:
    failed = frontdesk(tmp_path, "feedback", "list", FRONTDESK_DATABASE_URL="nonsense")
    assert failed.returncode == 1
    assert failed.stderr.startswith("Something went wrong (")
    assert "Traceback" not in failed.stderr
    assert "Traceback" in (tmp_path / "logs/frontdesk.log").read_text()


def test_wrong_usage_exits_with_2(tmp_path: Path) -> None:
    assert frontdesk(tmp_path, "up", "--port", "many").returncode == 2
    assert frontdesk(tmp_path, "nonsense").returncode == 2


def test_a_child_on_the_leash_dies_when_its_parent_is_killed() -> None:
    # given a parent whose child, like Celery's, asks to die with it, and then says its id
    child = "die_with_parent(os.getppid()), print(os.getpid(), flush=True)"
    code = f"import os, time; from bot.leash import die_with_parent; os.fork() or ({child}); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], cwd=HOME, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        # when
        parent.kill()
        # then
        wait_for(lambda: not command_of(pid))


def test_a_command_whose_parent_is_gone_already_does_not_start() -> None:
    leash = [sys.executable, "-m", "bot.leash", "1", "echo", "started"]
    started = subprocess.run(leash, cwd=HOME, capture_output=True, text=True, check=False)
    assert (started.returncode, started.stdout) == (1, "")


def environment(data: Path, **settings: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    places = {"FRONTDESK_DATA_DIR": str(data), "FRONTDESK_INBOX_DIR": str(data / "inbox")}
    return {**ours, **places, "COLUMNS": "200", **settings}


def frontdesk(data: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        cwd=HOME,
        env=environment(data, **settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def taken_port() -> Iterator[int]:
    """Somebody else's server on some port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def processes_of(data: Path) -> list[int]:
    """Every living process that was started for a data folder."""
    mark = f"FRONTDESK_DATA_DIR={data}\0".encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in environ.read_bytes():
                found.append(int(environ.parent.name))
    return found


def command_of(pid: int) -> bytes:
    """The command line of a process; empty where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def is_open(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0
