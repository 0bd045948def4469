"""docker-compose.yml runs what `frontdesk up` runs, keeps its secrets outside and shows only the pages."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import HOME, Settings
from workers.processes import processes

SERVICES = {"broker": "redis", "vectors": "chroma"}  # the others are named as their processes
SECRETS = {"POSTGRES_PASSWORD": "p", "REDIS_PASSWORD": "r", "MODEL_API_KEY": "k"}
EVERYWHERE = "0.0.0.0"

# what the containers read, with the addresses that they have there
SETTINGS = Settings(
    data_dir=Path("/app/data"),
    redis_url="redis://redis:6379/0",
    chroma_url="http://chroma:8000",
    model_url="http://model:8080",
)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((HOME / "docker-compose.yml").read_text())
    return loaded


@pytest.mark.parametrize("process", processes(SETTINGS, EVERYWHERE), ids=lambda process: process.name)
def test_a_service_runs_the_command_of_its_process(compose: dict[str, Any], process: Any) -> None:
    text, _, password = compose["services"][SERVICES.get(process.name, process.name)]["command"].partition(
        " --requirepass "
    )
    expected = list(process.command)
    if process.name == "broker":  # its volume is where the image of Redis wants it, and it asks for a password
        expected[expected.index("--dir") + 1] = "/data"
        assert password.startswith("${REDIS_PASSWORD:?")
    assert shlex.split(text) == expected


def test_only_the_pages_are_published_and_only_on_this_machine(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"ui": ["127.0.0.1:8501:8501"]}
    assert compose["networks"]["inside"] == {"internal": True}


def test_no_secret_has_a_default() -> None:
    text = (HOME / "docker-compose.yml").read_text()
    for secret in SECRETS:
        used = text.count("${" + secret)
        assert used > 0
        assert text.count("${" + secret + ":?") == used


def test_every_server_has_a_health_check(compose: dict[str, Any]) -> None:
    servers = {"postgres", "redis", "chroma", "model", "fast-worker", "bulk-worker", "gpu-worker", "ui", "vllm"}
    assert {name for name, service in compose["services"].items() if "healthcheck" in service} == servers


def test_the_image_does_not_run_as_root() -> None:
    lines = (HOME / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER frontdesk"]


def test_no_secret_and_no_data_gets_into_the_image() -> None:
    assert {".env", "data", ".git"} <= set((HOME / ".dockerignore").read_text().splitlines())


@pytest.mark.parametrize("profile", ["", "gpu"])
def test_docker_compose_accepts_the_file(profile: str, tmp_path: Path) -> None:
    if shutil.which("docker") is None or compose_client("version").returncode != 0:
        pytest.skip("the docker compose client is not installed here")
    accepted = compose_client("-f", str(HOME / "docker-compose.yml"), "--profile", profile, "config", "--quiet")
    assert accepted.returncode == 0, accepted.stderr


def test_docker_compose_asks_for_missing_secrets() -> None:
    if shutil.which("docker") is None or compose_client("version").returncode != 0:
        pytest.skip("the docker compose client is not installed here")
    arguments = ("--env-file", os.devnull, "-f", str(HOME / "docker-compose.yml"), "config", "--quiet")
    refused = compose_client(*arguments, secrets={})
    assert refused.returncode != 0
    assert "set it in .env" in refused.stderr


def compose_client(*arguments: str, secrets: dict[str, str] = SECRETS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", *arguments], env={**os.environ, **secrets}, capture_output=True, text=True, check=False
    )
