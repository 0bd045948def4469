"""Soft prompts in the model server: laid before the prompt, counted like it, refused where a folder is not right."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from bot.errors import AdapterRefused
from bot.serving.engine import Engine
from bot.serving.refusals import PromptTooLong
from tests.bot.test_batching import alone, asked, by_transformers, tiny_llama

COUNT, HIDDEN = 7, 32
ROWS = "prompt_embeddings"


@pytest.fixture(scope="session", params=["own head", "shared head"])
def model_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose head has weights of its own, and one whose head is its embedding."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return tiny_llama(folder, tie_word_embeddings=request.param == "shared head")


@pytest.fixture
def soft_prompt(model_folder: Path, tmp_path: Path) -> Path:
    torch.manual_seed(1)
    base = LlamaForCausalLM.from_pretrained(model_folder)
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=COUNT)
    get_peft_model(base, config).save_pretrained(str(tmp_path / "soft"))
    return tmp_path / "soft"


@pytest.fixture
def engine(model_folder: Path) -> Engine:
    return Engine.load("tiny", model_folder)


def edited(**changes: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return spoil


def holding(**tensors: torch.Tensor) -> Callable[[Path], None]:
    return lambda folder: save_file(tensors, folder / "adapter_model.safetensors")


def test_the_base_and_a_soft_prompt_speak_as_in_transformers_and_peft(
    engine: Engine, soft_prompt: Path, model_folder: Path
) -> None:
    # given a model and a soft prompt for it
    engine.load_adapter("soft", soft_prompt)
    base = LlamaForCausalLM.from_pretrained(model_folder)
    # when both are asked
    plain, soft = alone(engine, asked()), alone(engine, asked(adapter="soft"))
    # then each says what the libraries say, and that is not the same
    assert plain == by_transformers(base, asked())[0]
    assert soft == by_transformers(PeftModel.from_pretrained(base, str(soft_prompt)), asked())[0]
    assert plain != soft


def test_virtual_tokens_count_as_tokens_of_the_prompt(engine: Engine, soft_prompt: Path) -> None:
    # given a prompt that just fits the model's context
    engine.load_adapter("soft", soft_prompt)
    without = engine.generate(asked(max_tokens=1))
    room = engine.context_tokens - without.prompt_tokens
    engine.generate(asked(max_tokens=room)).close()
    # then it does not fit behind a soft prompt, unless so much less is asked for
    with pytest.raises(PromptTooLong, match=f"has {without.prompt_tokens + COUNT} tokens"):
        engine.generate(asked(adapter="soft", max_tokens=room))
    fits = engine.generate(asked(adapter="soft", max_tokens=room - COUNT))
    fits.close()
    assert fits.prompt_tokens == without.prompt_tokens + COUNT


def test_chance_never_draws_a_virtual_token(engine: Engine, soft_prompt: Path) -> None:
    # when much is drawn at a temperature at which every token is about as likely
    engine.load_adapter("soft", soft_prompt)
    drawn = engine.generate(asked(adapter="soft", max_tokens=200, temperature=100.0, seed=1))
    # then it is read on and decoded like any text
    assert "".join(drawn)
    assert drawn.finish_reason in ("length", "stop")


def test_a_folder_that_has_other_virtual_tokens_when_it_is_read_again_is_refused(
    engine: Engine, soft_prompt: Path, tmp_path: Path
) -> None:
    # given more adapters than memory for them, so that the first is on disk only
    engine._rack._memory_bytes = 1
    engine.load_adapter("soft", soft_prompt)
    shutil.copytree(soft_prompt, tmp_path / "other")
    engine.load_adapter("other", tmp_path / "other")
    # when its folder is written anew with fewer virtual tokens
    edited(num_virtual_tokens=3)(soft_prompt)
    holding(prompt_embeddings=torch.zeros(3, HIDDEN))(soft_prompt)
    # then whoever asks for it is told so, and the others are answered
    with pytest.raises(AdapterRefused, match="has changed since it was loaded"):
        alone(engine, asked(adapter="soft"))
    assert alone(engine, asked(adapter="other"))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (holding(prompt_embeddings=torch.full((COUNT, HIDDEN), float("nan"))), "contains NaN or infinity in prompt"),
        (holding(prompt_embeddings=torch.zeros(COUNT, HIDDEN + 1)), r"size mismatch .* \(7, 33\) instead of \(7, 32\)"),
        (holding(prompt_embeddings=torch.zeros(COUNT + 1, HIDDEN)), r"size mismatch .* \(8, 32\) instead of \(7, 32\)"),
        (holding(prompt_embeddings=torch.zeros(COUNT, HIDDEN), other=torch.zeros(1)), "unexpected or missing.* other"),
        (holding(other=torch.zeros(1)), "2 tensors are unexpected or missing"),
        (edited(num_virtual_tokens=257), "a number of virtual tokens outside of 1 to 256"),
        (edited(num_virtual_tokens=0), "a number of virtual tokens outside of 1 to 256"),
        (edited(num_virtual_tokens="7"), "a number of virtual tokens outside of 1 to 256"),
        (edited(task_type="SEQ_2_SEQ_LM"), "is for the task SEQ_2_SEQ_LM"),
        (edited(modules_to_save=["lm_head"]), "uses modules_to_save"),
        (edited(prefix_projection=True), "uses prefix_projection"),
        (edited(peft_type=[]), r"is of the type \[\]"),
        (edited(peft_type="PREFIX_TUNING"), "only LORA, PROMPT_TUNING and P_TUNING can be served"),
        (edited(base_model_name_or_path="/models/another"), "was trained for the base '/models/another'"),
    ],
)
def test_a_bad_soft_prompt_is_refused_and_the_server_goes_on(
    engine: Engine, soft_prompt: Path, tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    # given a good soft prompt, and one that was spoiled
    engine.load_adapter("good", soft_prompt)
    good = alone(engine, asked(adapter="good"))
    shutil.copytree(soft_prompt, tmp_path / "bad")
    spoil(tmp_path / "bad")
    # when it is loaded, then it is refused in a sentence, and the good one speaks on
    with pytest.raises(AdapterRefused, match=reason) as refused:
        engine.load_adapter("bad", tmp_path / "bad")
    assert "\n" not in str(refused.value)
    assert alone(engine, asked(adapter="good")) == good


def test_what_peft_writes_for_p_tuning_is_what_is_read(engine: Engine, model_folder: Path, tmp_path: Path) -> None:
    # given an encoder whose rows peft writes
    config = PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=COUNT, encoder_hidden_size=16)
    student: Any = get_peft_model(LlamaForCausalLM.from_pretrained(model_folder), config)
    student.save_pretrained(str(tmp_path / "encoded"))
    # then the folder holds what the encoder said and the engine has it
    rows = load_file(tmp_path / "encoded" / "adapter_model.safetensors")[ROWS]
    assert torch.equal(rows, student.get_prompt(1)[0])
    engine.load_adapter("encoded", tmp_path / "encoded")
    assert torch.equal(engine._read(tmp_path / "encoded").soft_prompt, rows)
