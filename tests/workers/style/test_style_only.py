"""Style alone, by construction: where the loss is taken, what is replayed, how it is learned, and what that needs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from bot.desk import Desk
from bot.errors import TrainingRefused
from bot.records import Feedback
from bot.serving.adapters import read_adapter
from bot.serving.precision import has_bfloat16
from bot.settings import Settings
from workers.commands import METHODS
from workers.style import factual, general, keeping, loop, memory
from workers.style.batches import Example, answer_loss, batches, example
from workers.style.lessons import Lesson, lesson
from workers.style.memory import MemoryPlan, Need
from workers.style.probes import closed_book
from workers.style.recipe import Recipe
from workers.style.train import load_base, memory_plan, train, with_adapter

READ = "[1] Returns\nThe first exchange of an item is free of charge. Lark Field tents can be returned within 45 days."
SAID = "Happy to help: you'll get the first exchange free, and we'll take Lark Field tents back for 45 days [1]."


def carried(answer: str, read: str = READ) -> list[str]:
    return [answer[start:end] for start, end in factual.spans(answer, read)]


def quiet(_: dict[str, object]) -> None:
    """Nobody watches the progress."""


def test_figures_names_and_copied_words_carry_facts_and_courtesy_and_markers_do_not() -> None:
    assert carried(SAID) == ["the first exchange", "Lark Field tents", "45 days"]
    assert carried("You'll be glad to hear it [1].") == []
    assert carried("We'll send it on 3 March to Elm Street.") == ["3 March", "Elm Street"]


def test_the_spans_of_facts_are_in_order_and_do_not_overlap(desk: Desk, approved: Sequence[Feedback]) -> None:
    for row in approved:
        found = factual.spans(row.rewrite, row.evidence[0].text)
        ends = [end for span in found for end in span]
        assert ends == sorted(ends) and len(set(ends)) == len(ends), row.rewrite


def test_the_loss_on_facts_counts_as_much_as_is_set(settings: Settings) -> None:
    # given one lesson, learned whole, for its style alone, and with its facts weighed low
    model, tokenizer, device = load_base(settings)
    whole = Lesson(({"role": "user", "content": READ},), SAID)
    made = [example(tokenizer, replace(whole, fact_weight=weight)) for weight in (1.0, 0.0, 0.2)]
    # then facts count so much and the rest counts whole, the end of turn, too
    assert [set(one.weights) for one in made] == [{1.0}, {0.0, 1.0}, {0.2, 1.0}]
    tokens = made[1].tokens[-made[1].answer :]
    styled = tokenizer.decode([token for token, weight in zip(tokens, made[1].weights, strict=True) if weight])
    assert "Happy to help" in styled and "we'll take" in styled and styled.endswith("[1].<|im_end|>")
    assert not any(fact in styled for fact in ("45", "Lark", "exchange"))
    # and the loss is in proportion
    wholly, styled_only, weighed = (answer_loss(model, batches([one], 1, device)[0]).item() for one in made)
    assert weighed == pytest.approx(0.8 * styled_only + 0.2 * wholly, rel=1e-4)


def test_rows_are_learned_whole_unless_it_is_set_otherwise(desk: Desk, approved: Sequence[Feedback]) -> None:
    assert lesson(desk, approved[0]).fact_weight == 1
    masked = desk.settings.model_copy(update={"train_fact_weight": 0.0})
    assert lesson(replace(desk, settings=masked), approved[0]).fact_weight == 0


def test_replays_are_the_bases_own_answers_to_other_questions_than_customers(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a base that answers every other question
    def speaks(_: object, __: object, asked: Sequence[Sequence[dict[str, str]]]) -> list[str]:
        return ["The moon is made of cheese." if n % 2 else "" for n, _ in enumerate(asked)]

    monkeypatch.setattr(keeping, "told", speaks)
    # when four replays are asked for
    made = keeping.lessons(None, None, 4, seed=1)
    # then none is empty, none has passages, and none is a question of the probes
    assert [one.answer for one in made] == ["The moon is made of cheese."] * 2
    assert all(len(one.messages) == 1 for one in made)
    assert not set(general.REPLAYED) & {question for question, _ in general.PROBED}
    assert all(one.replayed for one in made)


def test_as_many_general_answers_are_replayed_as_the_share_says_and_no_question_twice(settings: Settings) -> None:
    half = Recipe.of(settings.model_copy(update={"train_replay_share": 0.5, "train_epochs": 2}))
    assert [half.replays(rows) for rows in (0, 8, 1000)] == [0, 4, len(general.REPLAYED)]
    assert half.steps(8) == 2 * 3


def test_products_in_bfloat16_teach_nearly_the_same(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]]
) -> None:
    def after(bf16: bool | None) -> dict[str, Any]:
        chosen = settings.model_copy(update={"train_bf16": bf16})
        return train(chosen, f"style-v{bf16}", *lessons, lambda _: None).meta

    exact, rounded, itself = after(False), after(True), after(None)

    assert [one["bf16"] for one in (exact, rounded, itself)] == [False, True, has_bfloat16()]
    assert rounded["held_out_after"] == pytest.approx(exact["held_out_after"], rel=0.01)
    assert rounded["held_out_after"] != exact["held_out_after"]


def test_a_replay_leaves_the_base_where_it_is(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given the same answer as a lesson and as a replay, and all that the base finds likely
    base, tokenizer, _ = load_base(settings)
    monkeypatch.setattr(keeping, "LIKELIEST", base.config.vocab_size)
    as_lesson = example(tokenizer, lessons[0][0])
    as_replay = example(tokenizer, replace(lessons[0][0], replayed=True))
    held = keeping.held(base, [as_lesson, as_replay])
    assert held[0].likely is None and held[1].likely is not None
    student = with_adapter(base, Recipe.of(settings), settings.model)
    learned = [weights for name, weights in student.named_parameters() if "lora_B" in name]

    def pull(one: Example) -> float:
        (batch,) = batches([one], 1, "cpu")
        found = torch.autograd.grad(answer_loss(student, batch), learned)
        return float(sum(gradient.norm() for gradient in found))

    # then the lesson pulls the student away from the base, which it is as yet, and the replay does not
    assert pull(held[1]) < 0.001 * pull(held[0])
    # and each counts in a batch of both as alone
    (both,) = batches(held, 2, "cpu")
    alone = [batches([one], 1, "cpu")[0] for one in held]
    assert both.weight == sum(batch.weight for batch in alone) == 2 * as_lesson.answer
    together = answer_loss(student, both).item()
    assert together == pytest.approx(sum(answer_loss(student, batch).item() for batch in alone), rel=1e-4)


def test_prompts_are_answered_as_many_at_a_time_as_their_tokens_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "TOGETHER", 3)
    monkeypatch.setattr(keeping, "TOKENS_TOGETHER", 20)
    prompts = [[0] * length for length in (9, 2, 30, 2, 9, 2, 2, 9)]

    # those of like length together: at most three, at most twenty tokens padded to the longest, and one in any case
    assert list(keeping._alike(prompts)) == [[1, 3, 5], [6, 0], [4, 7], [2]]


def test_what_is_known_by_heart_is_asked_in_floats(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, tokenizer, _ = load_base(settings)
    precisions: list[torch.dtype] = []
    monkeypatch.setattr(keeping, "has_bfloat16", lambda: True)
    monkeypatch.setattr(
        LlamaForCausalLM,
        "generate",
        lambda model, **inputs: precisions.append(model.dtype) or torch.zeros(len(inputs["inputs_embeds"]), 1).long(),
    )

    for exact in (False, True):
        keeping.told(base, tokenizer, [lessons[0][0].messages], exact=exact)
    closed_book(with_adapter(base, Recipe.of(settings), settings.model), tokenizer, [("Who?", "nobody")])

    assert precisions == [torch.bfloat16, *[torch.float32] * 3]


def test_the_bases_answers_in_a_batch_are_those_it_gives_alone(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "has_bfloat16", lambda: False)  # rounding depends on the company
    base, tokenizer, _ = load_base(settings)
    asked = [one.messages for one in lessons[0][:3]]
    together = keeping.told(base, tokenizer, asked, most_tokens=8)
    assert together == [keeping.told(base, tokenizer, [one], most_tokens=8)[0] for one in asked]
    assert len(set(keeping.told(base, tokenizer, asked[:1] * 4, most_tokens=8, temperature=1.0))) > 1


@pytest.mark.parametrize(
    ("method", "mark"),
    [
        ("rslora", {"use_rslora": True}),
        ("dora", {"use_dora": True}),
        ("prompt", {"peft_type": "PROMPT_TUNING"}),
        ("p-tuning", {"peft_type": "P_TUNING"}),
    ],
)
def test_the_other_methods_learn_too_and_the_server_takes_them(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]], method: str, mark: dict[str, object]
) -> None:
    other = settings.model_copy(update={"train_method": method})
    trained = train(other, "style-v1", *lessons, quiet)
    assert trained.meta["method"] == method
    assert trained.meta["held_out_after"] < trained.meta["held_out_before"]
    assert mark.items() <= read_adapter(trained.path, {settings.model}).config.to_dict().items()


@pytest.mark.parametrize("method", METHODS)
def test_the_memory_plan_counts_what_the_model_really_has(
    settings: Settings, tiny_model: Path, lessons: tuple[list[Lesson], list[Lesson]], method: str
) -> None:
    # given the model and an adapter for it
    base, _, _ = load_base(settings)
    recipe = Recipe.of(settings.model_copy(update={"train_method": method}))
    parameters = sum(one.numel() for one in base.parameters())
    # when the memory is planned
    plan = memory.plan(tiny_model, recipe, lessons[0], half=False, free=10**12)
    # then the weights are those of the model, and the adapter's are what peft makes
    assert plan.full.trainable == parameters
    student = with_adapter(base, recipe, settings.model)
    assert plan.adapter.trainable == sum(one.numel() for one in student.parameters() if one.requires_grad)
    assert plan.full.total > plan.adapter.total > plan.adapter.weights > 4 * parameters
    assert plan.fits


def test_the_memory_plan_is_written_down(settings: Settings, lessons: tuple[list[Lesson], list[Lesson]]) -> None:
    planned = memory_plan(settings, Recipe.of(settings), lessons[0]).adapter
    trained = train(settings, "style-v1", *lessons, quiet)
    assert trained.meta["memory"]["adapter"]["trainable"] == planned.trainable


def test_a_training_that_does_not_fit_is_refused_with_the_figures(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 1_000_000)
    with pytest.raises(TrainingRefused, match=r"needs about 0\.\d+ GB of memory, 0\.00 GB are free \(weights"):
        train(settings, "style-v1", *lessons, quiet)
    assert not list(settings.adapters_dir.glob("*"))


def test_where_nobody_says_what_is_free_nothing_is_refused() -> None:
    need = Need(1, 10**12, 1, 1, 1)
    memory.check(MemoryPlan(need, need, None))


def test_a_dry_run_says_what_memory_it_needs(desk: Desk, approved: Sequence[Feedback]) -> None:
    found = loop.plan(desk)["memory"]
    assert found["full"]["total"] > found["adapter"]["total"] > 0
    assert found["fits"] is True
