"""The house keeps its shape: who imports whom, who loads torch, who reads the environment."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.settings import HOME

ALLOWED = {"bot": {"bot"}, "ingest": {"ingest", "bot"}, "workers": {"workers", "ingest", "bot"}, "ui": {"ui", "bot"}}
HEAVY = {"torch", "transformers", "peft"}


def sources(package: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((HOME / package).rglob("*.py")):
        yield path.relative_to(HOME), ast.parse(path.read_text())


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_in_the_direction_of_the_house(package: str) -> None:
    wrong = [
        f"{path} imports {name}"
        for path, tree in sources(package)
        for name in imported(tree)
        if name.split(".")[0] in ALLOWED.keys() - ALLOWED[package]
    ]
    assert wrong == []


def test_only_the_model_server_and_the_trainer_touch_torch() -> None:
    places = {
        path.parts[:2]
        for package in ALLOWED
        for path, tree in sources(package)
        if HEAVY & {name.split(".")[0] for name in imported(tree)}
    }
    assert places <= {("bot", "serving"), ("workers", "style")}


def test_only_knowledge_imports_chromadb() -> None:
    places = [
        str(path)
        for package in ALLOWED
        for path, tree in sources(package)
        if "chromadb" in {name.split(".")[0] for name in imported(tree)}
    ]
    assert places == ["bot/knowledge.py"]


@pytest.mark.parametrize("module", ["ui.app", "ingest.watch", "workers.tasks", "bot.cli"])
def test_torch_is_not_loaded_by(module: str) -> None:
    code = (
        f"import importlib, sys; sys.argv = ['x']; importlib.import_module('{module}'); print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, check=False)
    assert shown.stdout.strip().splitlines()[-1:] == ["False"], shown.stderr


def test_the_environment_is_read_in_one_place() -> None:
    readers = [
        str(path)
        for package in ALLOWED
        for path, tree in sources(package)
        if any(isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") for node in ast.walk(tree))
    ]
    assert readers == ["bot/settings.py"]


def test_nothing_committed_names_a_package_index_or_a_machine() -> None:
    files = subprocess.run(["git", "ls-files", "-z"], cwd=HOME, capture_output=True, check=True).stdout.decode()
    words = ("pypi" + ".org", "files.python" + "hosted", "/work/" + "main", "/op" + "t/")
    named = []
    for name in filter(None, files.split("\0")):
        content = (HOME / name).read_bytes() if (HOME / name).is_file() else b""
        named += [f"{name}: {word}" for word in words if word.encode() in content]
    assert named == []
