"""Soft prompts as a way to learn a style: peft's own modules are trained, and what they say is what the server says."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from bot.serving.engine import Engine
from bot.serving.generation import GenerationRequest
from bot.serving.prompt import Prompter
from bot.settings import Settings
from workers.style import keeping
from workers.style.batches import answer_loss, batches, example
from workers.style.lessons import Lesson
from workers.style.recipe import SOFT_PROMPTS, VIRTUAL_TOKENS, Recipe
from workers.style.train import BEGINS_AS, load_base, train, with_adapter


@pytest.fixture(params=SOFT_PROMPTS)
def soft_settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    return settings.model_copy(update={"train_method": request.param})


@pytest.fixture
def student(soft_settings: Settings) -> Any:
    """A model with a soft prompt that is some way from where it began."""
    base, _, _ = load_base(soft_settings)
    torch.manual_seed(0)
    student = with_adapter(base, Recipe.of(soft_settings), soft_settings.model)
    with torch.no_grad():
        student.prompt_encoder["default"].embedding.weight.normal_()
    return student


def by_peft(model: Any, tokenizer: Any, lesson: Lesson, most_tokens: int) -> str:
    """The greedy answer of peft's own `generate`."""
    prompt = torch.tensor([Prompter(tokenizer).tokens(lesson.messages)])
    options = {"do_sample": False, "pad_token_id": tokenizer.eos_token_id, "max_new_tokens": most_tokens}
    written = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), **options)
    return str(tokenizer.decode(written[0, prompt.shape[1] :], skip_special_tokens=True)).strip()


def test_the_loss_behind_a_soft_prompt_is_the_one_that_peft_gives(
    student: Any, settings: Settings, lessons: tuple[list[Lesson], list[Lesson]]
) -> None:
    # given lessons of unlike length in one batch
    _, tokenizer, device = load_base(settings)
    examples = [example(tokenizer, one) for one in lessons[0][:3]]
    [batch] = batches(examples, 3, device)
    # when the loss is taken
    loss = answer_loss(student, batch)
    # then it is what peft's own forward gives for each row alone
    alone = torch.zeros(())
    for one in examples:
        likely = student(input_ids=torch.tensor([one.tokens])).logits.log_softmax(-1)[0, VIRTUAL_TOKENS:]
        first = len(one.tokens) - one.answer
        alone = alone - sum(likely[n - 1, one.tokens[n]] for n in range(first, len(one.tokens)))
    assert loss.item() == pytest.approx(alone.item(), rel=1e-4)
    # and so is its gradient
    rows = student.prompt_encoder["default"].embedding.weight
    together, apart = (torch.autograd.grad(value, rows)[0] for value in (loss, alone))
    assert together.abs().max() > 0
    assert torch.allclose(together, apart, atol=1e-4)


def test_answers_behind_a_soft_prompt_are_the_same_in_company_and_switched_off_they_are_the_bases(
    student: Any, settings: Settings, lessons: tuple[list[Lesson], list[Lesson]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given prompts of unlike length, and products that are not rounded
    monkeypatch.setattr(keeping, "has_bfloat16", lambda: False)
    base, tokenizer, _ = load_base(settings)
    some = lessons[0][:4]
    asked = [one.messages for one in some]
    # when they are asked together
    said = keeping.told(student, tokenizer, asked, most_tokens=8)
    # then each is answered as peft answers it alone
    assert said == [by_peft(student, tokenizer, one, 8) for one in some]
    # and without the soft prompt as the base does
    with student.disable_adapter():
        plain = keeping.told(student, tokenizer, asked, most_tokens=8)
    assert plain == keeping.told(base, tokenizer, asked, most_tokens=8)
    assert plain != said


def test_prompt_tuning_begins_as_words(settings: Settings) -> None:
    base, tokenizer, _ = load_base(settings)
    recipe = Recipe.of(settings.model_copy(update={"train_method": "prompt"}))
    begun = with_adapter(base, recipe, settings.model).get_prompt(1)[0]
    words = tokenizer.encode(BEGINS_AS, add_special_tokens=False)[:VIRTUAL_TOKENS]
    assert torch.equal(begun, base.get_input_embeddings()(torch.tensor(words)))


def test_a_soft_prompts_folder_names_the_base_and_not_where_it_was_read_from(
    soft_settings: Settings, tiny_model: Path
) -> None:
    base, _, _ = load_base(soft_settings)
    student = with_adapter(base, Recipe.of(soft_settings), "a-name")
    written = {key: str(value) for key, value in student.peft_config["default"].to_dict().items()}
    assert written["base_model_name_or_path"] == "a-name"
    assert not [key for key, value in written.items() if str(tiny_model) in value]


def test_the_server_says_what_peft_says_with_the_folder_that_was_written(
    soft_settings: Settings, tiny_model: Path, lessons: tuple[list[Lesson], list[Lesson]]
) -> None:
    # given a soft prompt that was trained
    trained = train(soft_settings, "style-v1", *lessons, lambda _: None)
    base, tokenizer, _ = load_base(soft_settings)
    # when peft and the model server read its folder
    spoken = PeftModel.from_pretrained(base, str(trained.path))
    engine = Engine.load(soft_settings.model, tiny_model)
    engine.load_adapter("style-v1", trained.path)
    # then both give the same answers
    for one in lessons[1][:3]:
        request = GenerationRequest(tuple(one.messages), adapter="style-v1", max_tokens=12)
        said = "".join(engine.generate(request)).strip()
        assert said.rstrip("�") == by_peft(spoken, tokenizer, one, 12).rstrip("�")  # half a character at the end
