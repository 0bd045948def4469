"""Training a style adapter: LoRA on all linear layers or a soft prompt, the loss taken on the answers only.

Reads top to bottom: load, measure what is there, learn epoch by epoch, keep the best epoch, write it down. Whether
the result may speak is the gate's business. LOG.md in this folder has the tries behind the numbers.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftConfig,
    PeftModel,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
    set_peft_model_state_dict,
)
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from bot.errors import TrainingRefused
from bot.records import Adapter
from bot.serving import weights
from bot.serving.adapters import WEIGHTS_FILE
from bot.settings import Settings
from workers.style import checkpoint, dpo, keeping, memory, search, stillness, store
from workers.style.batches import Batch, batches, example, held_out_loss
from workers.style.course import Course, Tell, adapter_weights
from workers.style.known import Messages
from workers.style.lessons import Lesson
from workers.style.memory import MemoryPlan
from workers.style.probes import closed_book
from workers.style.recipe import Recipe

SAMPLE_TOKENS = 48
KNOWN_PROMPTS = 2
# What a prompt that is tuned starts from: embeddings of real words learn faster (Lester et al. 2021, section 3.2)
BEGINS_AS = "You answer customers in the voice of the company: friendly, in full sentences, from the passages alone. "


@dataclass(frozen=True)
class Notes:
    """What is written beside an adapter of the rows that it learned from: how many are known to the base, by kind, and
    texts by file name."""

    known: dict[str, int] = field(default_factory=dict)
    papers: dict[str, str] = field(default_factory=dict)


NO_NOTES = Notes()


@dataclass(frozen=True)
class Trained:
    """An adapter on disk that nobody has judged yet."""

    name: str
    path: Path
    meta: dict[str, Any]


def train(
    settings: Settings,
    name: str,
    lessons: Sequence[Lesson],
    held_out: Sequence[Lesson],
    tell: Tell,
    speaking: Adapter | None = None,
    test: Sequence[Lesson] = (),
    notes: Notes = NO_NOTES,
    recipe: Recipe | None = None,
    kept_in: Path | None = None,
) -> Trained:
    """Train the adapter `name` on the base model and write it to its folder, with `meta.json`.

    Training stops by `held_out`. The losses for the gate are taken on `test`, or on `held_out` where there is none;
    `speaking` is examined on them, too. Without a `recipe` the settings' one is taken. After each epoch the run is kept
    in the file `kept_in`, from which a later one on the same lessons goes on. Raises `ModelMissing`, and
    `TrainingRefused` where there is too little to learn from, the loss is no number or the disk is full; nothing is
    left behind then.
    """
    if not lessons or not held_out:
        raise TrainingRefused(
            "The approved rows ask too few different questions to learn from some and be examined on others; approve "
            "rewrites of other questions."
        )
    recipe, begun = recipe or Recipe.of(settings), time.perf_counter()
    needed = memory_plan(settings, recipe, lessons)
    memory.check(needed)
    tell({"stage": "preparing"})
    base, tokenizer, device = load_base(settings)
    stops_by, examined = (_examined(tokenizer, some, recipe, device) for some in (held_out, test or held_out))
    replayed = keeping.lessons(base, tokenizer, recipe.replays(len(lessons)), recipe.seed)
    examples = keeping.held(base, [example(tokenizer, one) for one in (*lessons, *replayed)])
    to_learn = batches(examples, recipe.rows_per_batch, device)
    still = stillness.directions(base, examples[len(lessons) :], recipe.still) if recipe.leaves_still else {}
    stay = partial(stillness.keep_away, still=still)
    before = held_out_loss(base, examined)
    begins_at = held_out_loss(base, stops_by)
    said_now = _speaking_loss(base, speaking, examined) if speaking and speaking.base == settings.model else None

    rows = digest(lessons, [*held_out, *test])

    def learned(by: Recipe, kept_in: Path | None = None) -> Course:
        student = with_adapter(base, by, settings.model)
        stay(student)
        sample = partial(_sample, student, tokenizer, held_out[0])
        course = Course(student, by, to_learn, stops_by, tell, sample=sample, after_step=stay)
        if kept_in:
            _go_on(course, kept_in, _key(settings, by, rows, begins_at))
        course.run(begins_at)
        return course

    recipe, searched = _searched(settings, recipe, learned)
    course = learned(recipe, kept_in)
    student = course.student
    preferred = (
        dpo.prefer(student, tokenizer, recipe, lessons, held_out, tell, stay)
        if recipe.preference_epochs
        else {"pairs": 0}
    )
    tell({"stage": "examining"})
    meta = {
        "base": settings.model,
        "parent": speaking.name if speaking else None,
        "data_digest": rows,
        "rows": {
            "train": len(lessons),
            "held_out": len(held_out),
            "test": len(test),
            "replayed": len(replayed),
        },
        "fact_weight": settings.train_fact_weight,
        "known": notes.known,
        **asdict(recipe),
        "bf16": course.bf16,
        "device": device,
        "curve": course.curve,
        "preferred": preferred,
        "searched": searched,
        "held_out_before": before,
        "held_out_speaking": said_now,
        "held_out_after": held_out_loss(student, examined),
        "closed_book": asdict(closed_book(student, tokenizer)),
        "memory": needed.figures(),
        "tokens": course.tokens,
        "seconds": round(time.perf_counter() - begun + course.seconds_before, 1),
        "tokens_per_second": round(course.tokens / course.seconds, 1),
    }
    tell({"stage": "writing"})  # a run that was stopped meanwhile leaves nothing
    with store.new_folder(settings.adapters_dir / name) as folder:
        write(student, meta, folder)
        for paper, text in notes.papers.items():
            (folder / paper).write_text(text, encoding="utf-8")
    return Trained(name, (settings.adapters_dir / name).resolve(), meta)


def _examined(tokenizer: Any, lessons: Sequence[Lesson], recipe: Recipe, device: str) -> list[Batch]:
    """On all words of an answer, whatever is learned of them."""
    examples = [example(tokenizer, replace(one, fact_weight=1.0)) for one in lessons]
    return batches(examples, recipe.rows_per_batch, device)


def answering(settings: Settings) -> Callable[[Sequence[Messages], float], list[str]]:
    """The base's answers to chats, at a temperature (0: greedy). Raises `ModelMissing`."""
    base, tokenizer, _ = load_base(settings)
    torch.manual_seed(Recipe.of(settings).seed)
    return lambda asked, temperature: keeping.told(base, tokenizer, asked, temperature=temperature)


def known_prompts(settings: Settings) -> int:
    """With how many prompts each row is asked before it is learned from; on a CPU that takes longer than the training,
    so there none unless it is set."""
    if settings.train_known_prompts is None:
        return KNOWN_PROMPTS if torch.cuda.is_available() else 0
    return settings.train_known_prompts


def memory_plan(settings: Settings, recipe: Recipe, lessons: Sequence[Lesson]) -> MemoryPlan:
    """What this training will need on the device that it would run on. Raises `ModelMissing`."""
    gpu = torch.cuda.is_available()
    free = torch.cuda.mem_get_info()[0] if gpu else memory.free_bytes()
    return memory.plan(weights.locate(settings.model, settings), recipe, lessons, half=gpu, free=free)


def load_base(settings: Settings) -> tuple[Any, Any, str]:
    """The base model, its tokenizer and the device: bfloat16 on a GPU, float32 on a CPU. There attention is written
    out, since the backward pass of torch's own takes a sixth of a step."""
    folder = weights.locate(settings.model, settings)
    device, precision, attention = (
        ("cuda", torch.bfloat16, "sdpa") if torch.cuda.is_available() else ("cpu", torch.float32, "eager")
    )
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=precision, attn_implementation=attention)
    return model.to(device), AutoTokenizer.from_pretrained(folder), device


def with_adapter(base: Any, recipe: Recipe, base_name: str) -> PeftModel:
    """The base with a fresh adapter, the same for every seed; LoRA at first changes nothing. It goes by `base_name`,
    not by the folder that the base happened to be read from."""
    torch.manual_seed(recipe.seed)
    config = _config(base, recipe)
    student = get_peft_model(base, config)
    config.base_model_name_or_path = base_name  # peft has put the folder there
    if isinstance(config, PromptTuningConfig):
        config.tokenizer_name_or_path = base_name
    return student


def _config(base: Any, recipe: Recipe) -> PeftConfig:
    if recipe.method == "prompt":
        return PromptTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=recipe.virtual_tokens,
            prompt_tuning_init="TEXT",
            prompt_tuning_init_text=BEGINS_AS,
            tokenizer_name_or_path=base.name_or_path,
        )
    if recipe.method == "p-tuning":
        return PromptEncoderConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=recipe.virtual_tokens,
            encoder_hidden_size=base.config.hidden_size,
        )
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=0.0,
        use_rslora=recipe.method == "rslora",
        use_dora=recipe.method == "dora",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def digest(lessons: Sequence[Lesson], held_out: Sequence[Lesson]) -> str:
    """SHA-256 of everything that was learned from and examined on."""
    content = [[asdict(one) for one in part] for part in (lessons, held_out)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _key(settings: Settings, recipe: Recipe, rows: str, begins_at: float) -> str:
    """Stands for all that decides how a run goes. The loss that it begins at stands for the base's weights, which may
    change under the same name."""
    content = [settings.model, asdict(recipe), rows, round(begins_at, 3)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _go_on(course: Course, kept_in: Path, key: str) -> None:
    """Keep the course after each epoch, and begin where one with the same key was cut off."""
    course.keep = partial(checkpoint.write, kept_in, key)
    if kept := checkpoint.read(kept_in, key):
        course.go_on(kept)


def _sample(student: Any, tokenizer: Any, asked: Lesson) -> dict[str, str]:
    """How the student answers a question that it does not learn from."""
    (said,) = keeping.told(student, tokenizer, [asked.messages], SAMPLE_TOKENS)
    return {"question": asked.question, "answer": said}


def _searched(
    settings: Settings, recipe: Recipe, learned: Callable[[Recipe], Course]
) -> tuple[Recipe, list[dict[str, Any]]]:
    """The recipe to learn by, and what was tried where one is searched for."""
    if not settings.train_search_trials:
        return recipe, []

    def attempt(by: Recipe) -> float:
        course = learned(by)
        _take_off(course.student)
        return course.best

    return search.best(recipe, settings.train_search_trials, attempt)


def _speaking_loss(base: Any, speaking: Adapter, examined: Sequence[Batch]) -> float:
    worn = PeftModel.from_pretrained(base, speaking.path)
    loss = held_out_loss(worn, examined)
    _take_off(worn)
    return loss


def _take_off(worn: PeftModel) -> None:
    """Leave the base as it was; a soft prompt has changed nothing in it."""
    if not worn.active_peft_config.is_prompt_learning:
        worn.unload()


def go_on_from(student: Any, folder: Path) -> None:
    """The student's weights become those that `write` left in a folder."""
    set_peft_model_state_dict(student, load_file(folder / WEIGHTS_FILE))


def write(student: Any, meta: dict[str, Any], folder: Path, precision: torch.dtype | None = None) -> None:
    """The adapter's configuration, `meta.json` and weights, the latter in a `precision` other than that of training
    where one is given. Raises `OSError` where the disk is full."""
    student.peft_config["default"].save_pretrained(folder)
    (folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
    tensors = {key: value.to(precision).contiguous() for key, value in adapter_weights(student).items()}
    try:
        save_file(tensors, folder / WEIGHTS_FILE)
    except SafetensorError as error:
        raise OSError(str(error)) from error
