"""The forward by ONNX Runtime beside torch's, on tiny models that are made here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from structlog.testing import capture_logs
from transformers import AutoConfig, AutoModelForCausalLM

from bot.serving.attention import NAME, Piece
from bot.serving.engine import Engine
from bot.serving.fitting import read_adaptation
from bot.serving.forward import Forward, TorchForward
from bot.serving.graph import HEAD_STEP
from bot.serving.mixed import MixedLinear, join, mix_adapters_into
from bot.serving.mixing import Deltas, Mix
from bot.serving.runtime import GraphForward, graph_forward
from bot.serving.slots import Slots
from tests.bot.test_batching import alone, asked, make_adapters, tiny_llama, together
from tests.bot.test_serving import byte_tokenizer

ROUNDING = 0.2  # of the logits' norm: what 8 bits may cost a model of random weights
KINDS: dict[str, dict[str, Any]] = {
    "llama": {
        "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4},
    },
    "mistral": {"sliding_window": None, "head_dim": 2 * HEAD_STEP},
    "qwen2": {},
}


class Both:
    """A model by torch and by the runtime, each with slots of its own."""

    def __init__(self, model: Any) -> None:
        model.eval().set_attn_implementation(NAME)
        self.mix: Mix
        self.mixed: list[MixedLinear]
        self.mix, self.mixed = mix_adapters_into(model)
        self.slots = [Slots(model.config, 4, torch.float32, model.device) for _ in range(2)]
        self.torch = TorchForward(model, self.slots[0])
        self.graph = graph_forward(model, self.mixed, self.mix, self.slots[1], TorchForward(model, self.slots[1]))
        for slots in self.slots:
            for _ in range(4):
                slots.take(400)

    def logits(self, pieces: Sequence[Piece]) -> list[torch.Tensor]:
        found = []
        forwards: list[Forward] = [self.torch, self.graph]
        with torch.inference_mode():
            for forward, slots in zip(forwards, self.slots, strict=True):
                found.append(forward.logits(pieces))
                for piece in pieces:
                    slots.written(piece.slot, piece.position + len(piece.tokens))
        return found


def tiny(kind: str, **options: Any) -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        vocab_size=99,
        hidden_size=4 * HEAD_STEP,
        intermediate_size=56,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.3,
        **options,
    )
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data.normal_()
    return model


def tokens(count: int, first: int = 3) -> list[int]:
    return [(first + 7 * at) % 90 for at in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_are_read_as_by_torch_and_answers_written_nearly_so(kind: str) -> None:
    both = Both(tiny(kind, **KINDS[kind]))
    assert isinstance(both.graph, GraphForward)

    for pieces in (
        [Piece(0, 0, tokens(40)), Piece(2, 0, tokens(9, 5))],
        [Piece(0, 40, tokens(21, 2)), Piece(3, 0, tokens(70, 4))],
        [Piece(2, 9, tokens(300, 8))],
    ):
        expected, found = both.logits(pieces)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)

    # slot 1 is free, and slot 3 reads on while the others are being written
    for step in range(3):
        expected, found = both.logits(
            [Piece(0, 61 + step, [step], True), Piece(2, 309 + step, [9], True), Piece(3, 70 + 5 * step, tokens(5))]
        )
        assert ((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max() < ROUNDING
        assert not torch.equal(found[:2], expected[:2])  # one is not the other under two names


def test_every_token_has_its_own_adapter(tmp_path: Path) -> None:
    folder = tiny_llama(tmp_path / "tiny", head_dim=HEAD_STEP)
    adapters = make_adapters(folder, tmp_path)
    model = AutoModelForCausalLM.from_pretrained(folder)
    both = Both(model)
    warm, curt, uneven, dora = (read(both, model, adapters[name]) for name in ("warm", "curt", "uneven", "dora"))
    pieces = [Piece(slot, 0, tokens(20, slot)) for slot in range(4)]
    nexts = [Piece(slot, 20, [7], True) for slot in range(4)]

    for served in (
        [warm, None, curt, uneven],
        [None] * 4,
        [curt] * 4,
        [None, uneven, None, warm],
        [dora, None, curt, None],
    ):
        both.mix.arrange(served, [20] * 4)
        expected, found = both.logits(pieces)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
        both.mix.arrange(served, [1] * 4)
        expected, found = both.logits(nexts)
        assert ((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max() < ROUNDING
        by_torch = any(one is dora for one in served)
        assert torch.equal(found, expected) == by_torch  # gains are torch's, for the whole step


def read(both: Both, model: Any, path: Path) -> Deltas:
    layers = dict(pair for each in both.mixed for pair in each.layers())
    table = model.get_input_embeddings().weight.detach()
    return join(read_adaptation(path, {"tiny"}, layers, "lm_head", table), both.mixed).deltas


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("gpt_neox", {}),
        ("llama", {"hidden_act": "gelu"}),
        ("mistral", {"sliding_window": 8}),
        ("llama", {"head_dim": 8}),
        ("qwen3", {}),
    ],
)
def test_a_model_of_another_build_is_served_in_floats_and_the_log_says_so(kind: str, options: dict[str, Any]) -> None:
    with capture_logs() as logs:
        both = Both(tiny(kind, **options))

    assert isinstance(both.graph, TorchForward)
    assert [entry["log_level"] for entry in logs] == ["warning"]


def test_a_graph_that_says_something_else_is_not_used() -> None:
    model = tiny("llama")
    model.model.norm.register_forward_hook(lambda module, states, normal: -normal)  # as no configuration tells
    with capture_logs() as logs:
        both = Both(model)

    assert isinstance(both.graph, TorchForward)
    assert logs[0]["divergence"] > 0


def test_a_token_is_the_same_alone_and_in_company() -> None:
    both = Both(tiny("llama"))
    prompts = [Piece(slot, 0, tokens(30 + slot, slot)) for slot in range(4)]
    nexts = [Piece(slot, 30 + slot, [slot], True) for slot in range(4)]
    _, read = both.logits(prompts)
    _, written = both.logits(nexts)

    for pieces, company in ((prompts, read), (nexts, written)):
        alone = torch.cat([both.logits([piece])[1] for piece in pieces])
        torch.testing.assert_close(alone, company, rtol=1e-4, atol=1e-4)


def test_answers_begin_in_company_as_alone_whatever_adapter_speaks(tmp_path: Path) -> None:
    folder = tiny_llama(tmp_path / "tiny", head_dim=HEAD_STEP)
    adapters = make_adapters(folder, tmp_path)
    engines = []
    for _ in range(2):
        model = AutoModelForCausalLM.from_pretrained(folder)
        engines.append(Engine(model, byte_tokenizer(), "tiny", folder, eight_bits=True))
        for name, path in adapters.items():
            engines[-1].load_adapter(name, path)
    # the first tokens alone: where a number lies between two of 8 bits, rounding takes the one or the other
    requests = [asked("Question" * 9, adapter=name, max_tokens=2) for name in (*adapters, None)]
    expected = [alone(engines[0], request) for request in requests]

    assert together(engines[1], requests) == expected
    assert len(set(expected)) > 1


def test_an_answer_is_the_same_whether_its_prompt_is_remembered_or_read(tmp_path: Path) -> None:
    folder = tiny_llama(tmp_path / "tiny", head_dim=HEAD_STEP)
    model = AutoModelForCausalLM.from_pretrained(folder)
    engine = Engine(model, byte_tokenizer(), "tiny", folder, eight_bits=True)
    request = asked("When do you open on the day before a holiday? " * 3)

    said = [engine.generate(request) for _ in range(4)]
    answers = ["".join(each) for each in said]
    again = engine.generate(request)
    answers.append("".join(again))

    assert again.cached_tokens == again.prompt_tokens - 1  # whose last token is read alone, and still as a prompt's
    assert len(set(answers)) == 1
