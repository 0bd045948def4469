"""A rewrite is preferred to what it replaced."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from bot.desk import Desk
from bot.records import Feedback
from bot.settings import Settings
from workers.style import dpo
from workers.style.batches import example
from workers.style.lessons import Lesson, lesson
from workers.style.recipe import Recipe
from workers.style.train import load_base, train, with_adapter

Lessons = tuple[list[Lesson], list[Lesson]]


def quiet(_: dict[str, object]) -> None:
    """Nobody watches the progress."""


def test_a_lesson_knows_the_answer_that_was_rewritten(desk: Desk, approved: Sequence[Feedback]) -> None:
    rewritten, kept = approved[0], replace(approved[0], answer=approved[0].rewrite)
    assert lesson(desk, rewritten).worse.split()[:3] == rewritten.answer.split()[:3]
    assert lesson(desk, kept).worse == ""


def test_the_loss_is_that_of_the_paper(settings: Settings, lessons: Lessons) -> None:
    # given pairs, and a student that moved since they were made
    base, tokenizer, _ = load_base(settings)
    student = with_adapter(base, Recipe(rank=4, alpha=8, epochs=1, learning_rate=1e-3), settings.model)
    some, *none = dpo.pairs(student, tokenizer, lessons[0][:3], 4)
    assert not none and dpo.loss(student, some).item() / some.weight == pytest.approx(math.log(2))
    with torch.no_grad():
        for name, weight in student.named_parameters():
            if "lora_B" in name:
                weight += 0.05 * torch.randn_like(weight)

    # then it is what comes of each answer's likelihood, read alone, before and after
    def likelihood(one: Lesson, answer: str) -> torch.Tensor:
        made = example(tokenizer, replace(one, answer=answer))
        likely = student(torch.tensor([made.tokens])).logits.log_softmax(-1)[0]
        first = len(made.tokens) - made.answer
        return sum(likely[n - 1, made.tokens[n]] for n in range(first, len(made.tokens)))  # type: ignore[return-value]

    def ratio(one: Lesson) -> torch.Tensor:
        return likelihood(one, one.answer) - likelihood(one, one.worse)

    ranked = sorted(lessons[0][:3], key=lambda one: len(example(tokenizer, one).tokens))
    with torch.no_grad():
        after = torch.stack([ratio(one) for one in ranked])
        with student.disable_adapter():
            before = torch.stack([ratio(one) for one in ranked])
    assert some.reference.tolist() == pytest.approx(before.tolist(), abs=1e-3)
    wanted = -torch.nn.functional.logsigmoid(0.1 * (after - before)).mean().item()
    assert dpo.loss(student, some).item() / some.weight == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("method", ["lora", "prompt", "p-tuning"])
def test_pairs_are_learned_after_the_answers(settings: Settings, lessons: Lessons, method: str) -> None:
    # when two epochs of preferring follow
    asked = settings.model_copy(update={"train_preference_epochs": 2, "train_method": method})
    preferred = train(asked, "style-v1", *lessons, quiet).meta["preferred"]
    # then they begin indifferent, and end with the rewrites preferred, those held out, too
    held_out = [point["held_out"] for point in preferred["curve"] if "held_out" in point]
    assert preferred["pairs"] == len(lessons[0])
    assert held_out[0] == pytest.approx(math.log(2), abs=1e-4) and min(held_out) < held_out[0]


def test_without_rewritten_rows_nothing_is_preferred(settings: Settings, lessons: Lessons) -> None:
    asked = settings.model_copy(update={"train_preference_epochs": 1})
    as_they_were = [[replace(one, worse="") for one in part] for part in lessons]
    assert train(asked, "style-v1", *as_they_were, quiet).meta["preferred"] == {"pairs": 0}
