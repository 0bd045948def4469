"""Where the processes of one data folder are found: free ports and the model server's key, written to a file that
`bot.settings` reads, so that every `frontdesk` command finds the running stack."""

import os
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

from bot.errors import SettingsError
from bot.settings import ENDPOINTS_FILE, HOME, Settings, load_settings
from workers.processes import LOOPBACK

USUAL_PORTS = {"redis_url": 6379, "chroma_url": 8000, "model_url": 8080, "ui_port": 8501}
SHAPES = {
    "redis_url": f"redis://{LOOPBACK}:{{port}}/0",
    "chroma_url": f"http://{LOOPBACK}:{{port}}",
    "model_url": f"http://{LOOPBACK}:{{port}}",
    "ui_port": "{port}",
}


def chosen_by_operator() -> set[str]:
    """The settings that come from the environment or from `.env`, and not from an earlier start."""
    return set(Settings(_env_file=HOME / ".env").model_fields_set)


def prepare(settings: Settings, ui_port: int | None) -> Settings:
    """Choose the ports, keep or make the key, write both down, and return the settings as all will now read them.

    Raises `SettingsError` where a port that was asked for is taken.
    """
    chosen = chosen_by_operator()
    option = "--port" if ui_port else "FRONTDESK_UI_PORT"
    if "ui_port" in chosen:
        ui_port = ui_port or settings.ui_port
    values = {"model_api_key": _key(settings)}
    with ExitStack() as held:  # all ports stay bound until all are chosen, so no two are the same
        for name, usual in USUAL_PORTS.items():
            if name == "ui_port" and ui_port:
                values[name] = str(_reserve(held, ui_port, option))
            elif name not in chosen:
                values[name] = SHAPES[name].format(port=_free_port(held, usual))
    _write(settings.data_dir / ENDPOINTS_FILE, values)
    return load_settings(data_dir=settings.data_dir, **({"ui_port": ui_port} if ui_port else {}))


def _key(settings: Settings) -> str:
    known = "model_api_key" in settings.model_fields_set  # the operator's, or the one of the last start
    return settings.model_api_key.get_secret_value() if known else secrets.token_urlsafe(32)


def _reserve(held: ExitStack, port: int, option: str) -> int:
    try:
        return _bind(held, port)
    except OSError as error:
        raise SettingsError(
            f"The port {port} is taken by another program ({error.strerror}); choose another one with {option}."
        ) from error


def _free_port(held: ExitStack, usual: int) -> int:
    try:
        return _bind(held, usual)
    except OSError:
        return _bind(held, 0)


def _bind(held: ExitStack, port: int) -> int:
    candidate = held.enter_context(socket.socket())
    # servers bind so too, so that connections of the last run that are still closing do not count as taken
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    candidate.bind((LOOPBACK, port))
    return int(candidate.getsockname()[1])


def _write(file: Path, values: dict[str, str]) -> None:
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as written:
        written.writelines(f"FRONTDESK_{name.upper()}={value}\n" for name, value in values.items())
    part.replace(file)
