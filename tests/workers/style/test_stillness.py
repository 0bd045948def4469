"""What the base says where no style is asked for stays where it is, by construction."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from peft import PeftModel

from bot.settings import Settings
from workers.style import probes, stillness
from workers.style.batches import Example, example
from workers.style.lessons import Lesson
from workers.style.recipe import Recipe
from workers.style.train import load_base, train, with_adapter

GENERAL = ("What is the capital of Spain?", "Why is the sky blue?", "How many days are in a week?")
A = ".lora_A."


def general(tokenizer: Any) -> list[Example]:
    asked = [({"role": "user", "content": question},) for question in GENERAL]
    return [example(tokenizer, Lesson(messages, "I do not know that.", replayed=True)) for messages in asked]


def half(inputs: int) -> int:
    return inputs // 2


def test_the_directions_hold_nearly_all_that_general_text_is_made_of(settings: Settings) -> None:
    base, tokenizer, _ = load_base(settings)
    examples = general(tokenizer)
    layer = base.get_submodule("model.layers.0.mlp.down_proj")
    read: list[torch.Tensor] = []
    layer.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0][0]))

    found = stillness.directions(base, examples, half)["model.layers.0.mlp.down_proj"]

    seen = torch.cat(read)
    torch.testing.assert_close(found.T @ found, torch.eye(found.shape[1]), atol=1e-4, rtol=0)
    exact = torch.linalg.svd(seen, full_matrices=False).S[: found.shape[1]].square().sum().item()
    assert (seen @ found).square().sum().item() == pytest.approx(exact, rel=0.01)


def test_layers_that_read_the_same_share_their_directions_and_the_head_has_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, tokenizer, _ = load_base(settings)
    at_once = stillness.directions(base, general(tokenizer), half)
    assert at_once["model.layers.0.self_attn.q_proj"] is at_once["model.layers.0.self_attn.v_proj"]
    assert not any("lm_head" in name for name in at_once)
    # and a model too large to be looked at in one reading is looked at in several
    monkeypatch.setattr(stillness, "SUMS_BYTES", 1)
    one_by_one = stillness.directions(base, general(tokenizer), half)
    assert one_by_one.keys() == at_once.keys()
    for name, found in at_once.items():
        torch.testing.assert_close(one_by_one[name] @ one_by_one[name].T, found @ found.T, atol=1e-3, rtol=0)


def test_a_trained_style_reads_nothing_in_the_directions_of_general_text(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    directions = stillness.directions
    monkeypatch.setattr(stillness, "directions", lambda *asked: kept.append(directions(*asked)) or kept[-1])

    trained = train(settings, "style-v1", *lessons, lambda _: None)

    base, _, _ = load_base(settings)
    worn = PeftModel.from_pretrained(base, trained.path)
    downs = {name: weights for name, weights in worn.named_parameters() if A in name}
    assert downs
    for name, weights in downs.items():
        still = kept[0][name.removeprefix(stillness.PREFIX).partition(A)[0]]
        assert (weights @ still).norm() < 1e-4 * weights.norm()


def test_what_is_kept_still_moves_less(settings: Settings, lessons: tuple[list[Lesson], list[Lesson]]) -> None:
    def moved(replay_share: float) -> tuple[float, float]:
        chosen = settings.model_copy(update={"train_replay_share": replay_share, "train_epochs": 2})
        meta = train(chosen, f"style-v{replay_share}", *lessons, lambda _: None).meta
        return meta["closed_book"]["kl"], meta["held_out_after"] / meta["held_out_before"]

    (free, learned), (still, learned_still) = moved(0.0), moved(1.0)

    assert still < free / 2
    assert learned < 1 and learned_still < 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, 32), ({"replay_share": 0.0}, 0), ({"rank": 0, "method": "prompt"}, 0)],
)
def test_no_direction_is_left_to_a_base_that_says_nothing_or_under_a_soft_prompt(
    changes: dict[str, Any], expected: int
) -> None:
    recipe = Recipe(**{"rank": 4, "alpha": 8, "epochs": 1, "learning_rate": 1e-3, "replay_share": 1.0, **changes})
    assert recipe.still(64) == expected
    assert recipe.still(1_000_000) <= 1024


def test_an_adapter_that_is_kept_away_from_everything_changes_nothing(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]]
) -> None:
    base, tokenizer, _ = load_base(settings)
    student = with_adapter(base, Recipe.of(settings), settings.model)
    with torch.no_grad():
        for name, weights in student.named_parameters():
            if "lora_B" in name:
                weights.normal_()
    asked: Sequence[tuple[str, str]] = [(question, "") for question in GENERAL]
    assert probes.closed_book(student, tokenizer, asked).kl > 0.01

    plain = student.get_base_model()
    everything = {
        name.removesuffix(".base_layer"): torch.eye(part.in_features)
        for name, part in plain.named_modules()
        if name.endswith(".base_layer")
    }
    stillness.keep_away(student, everything)

    assert probes.closed_book(student, tokenizer, asked).kl == pytest.approx(0, abs=1e-5)
