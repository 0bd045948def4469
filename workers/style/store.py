"""Adapter folders on disk: there whole or not at all (DESIGN rule 5)."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import TrainingRefused


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends well, and that no failure leaves behind.

    Raises `TrainingRefused` where the disk is full or cannot be written.
    """
    part = folder.with_name(f".{folder.name}.part")
    for leftover in (part, folder):  # of a run that was killed before the adapter was registered
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        for file in part.iterdir():
            _settle(file)
        part.rename(folder)
    except OSError as error:
        raise TrainingRefused(
            f"The adapter {folder.name} could not be written to {folder.parent} ({error.strerror or error}); make room "
            "there and train again. Until then the version that speaks now goes on."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _settle(file: Path) -> None:
    file.chmod(0o644)  # safetensors writes for its owner alone, but another user may run the server
    with file.open("rb") as opened:
        os.fsync(opened.fileno())  # the registry's row must not outlive a power cut that the weights did not
