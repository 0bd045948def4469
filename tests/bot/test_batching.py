"""Many requests in one running batch, on a tiny Llama that is made here."""

import random
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import replace
from functools import partial
from io import SEEK_END
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftConfig, PeftModel, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from bot.errors import ModelBusy
from bot.serving.batch import BESIDE_TOKENS
from bot.serving.eightbit import EightBitLinear, product, rounded_pair
from bot.serving.engine import PLACES, Engine
from bot.serving.fitting import read_adaptation
from bot.serving.generation import Generation, GenerationRequest
from bot.serving.mixed import join, mix_adapters_into
from bot.serving.prefixes import LEAST_TOKENS, Prefixes
from bot.serving.refusals import OutOfMemory, TookTooLong
from bot.serving.sampling import Sampler
from bot.serving.slots import Remembered, Slots
from bot.serving.text import PieceDecoder
from tests.bot.test_serving import byte_tokenizer, until

STEP_SECONDS = 0.01
CLIENTS = 8
SYSTEM = "You answer customers from the company's own documents, in its own voice, and you never guess. "
lora: Any = partial(LoraConfig, init_lora_weights=False)
VARIANTS: dict[str, PeftConfig] = {
    "warm": lora(r=4, target_modules=["q_proj", "down_proj"]),
    "curt": lora(r=8, lora_alpha=4, target_modules="all-linear", use_rslora=True),
    "dora": lora(r=2, target_modules=["v_proj", "up_proj"], use_dora=True),
    "uneven": lora(r=4, target_modules=["k_proj", "o_proj"], rank_pattern={"o_proj": 2}, alpha_pattern={"k_proj": 3}),
    "soft": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=BESIDE_TOKENS + 6),  # more than a piece
    "encoded": PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=5, encoder_hidden_size=16),
}


def tiny_llama(folder: Path, **options: Any) -> Path:
    """A model of random weights, written to a folder."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=1,
        initializer_range=0.5,
        **options,
    )
    model = LlamaForCausalLM(config)
    model.lm_head.weight.data[:2] = 0  # so that a greedy answer never ends by itself
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def adapters(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_adapters(folder, tmp_path_factory.mktemp("adapters"))


def make_adapters(folder: Path, place: Path) -> dict[str, Path]:
    """LoRA adapters and soft prompts of several kinds."""
    for number, (name, config) in enumerate(VARIANTS.items()):
        torch.manual_seed(number)
        base = LlamaForCausalLM.from_pretrained(folder)
        get_peft_model(base, deepcopy(config)).save_pretrained(str(place / name))
    return {name: place / name for name in VARIANTS}


@pytest.fixture
def make_engine(folder: Path) -> Callable[..., Engine]:
    """An engine; `before` is called with the number of tokens before each forward of the model."""

    def make(before: Callable[[int], None] = lambda tokens: None, **options: Any) -> Engine:
        precision = torch.bfloat16 if options.get("eight_bits") else torch.float32
        model = LlamaForCausalLM.from_pretrained(folder, dtype=precision)
        model.register_forward_pre_hook(
            lambda module, positional, named: before(named["input_ids"].shape[1]), with_kwargs=True
        )
        return Engine(model, byte_tokenizer(), "tiny", folder, **options)

    return make


def slowly(tokens: int) -> None:
    time.sleep(STEP_SECONDS)


def asked(text: str = "When do you open?", **changes: Any) -> GenerationRequest:
    return GenerationRequest(({"role": "user", "content": text},), **{"max_tokens": 24, **changes})


def together(engine: Engine, requests: list[GenerationRequest]) -> list[str]:
    generations = [engine.generate(request) for request in requests]
    return ["".join(generation) for generation in generations]


def alone(engine: Engine, request: GenerationRequest) -> str:
    return "".join(engine.generate(request))


def by_transformers(model: Any, request: GenerationRequest) -> tuple[str, float]:
    """The greedy answer, and how far the likeliest token always was before the second likeliest."""
    tokenizer = byte_tokenizer()
    prompt = tokenizer.apply_chat_template(list(request.messages), add_generation_prompt=True, return_tensors="pt")[
        "input_ids"
    ]
    written = model.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=request.max_tokens,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    best = torch.cat(written.logits).topk(2).values
    decoder = PieceDecoder(tokenizer.backend_tokenizer)
    text = "".join(decoder.step(token) for token in written.sequences[0, prompt.shape[1] :].tolist())
    return text, (best[:, 0] - best[:, 1]).min().item()


# --- the batch --------------------------------------------------------------------------------------------------------


def test_answers_are_the_same_alone_and_in_company(make_engine: Callable[..., Engine]) -> None:
    lengths = [1, 300, 40, 700, 5, 64, 129, 20]
    requests = [
        asked("ab " * length, max_tokens=10 + length % 30, temperature=length % 2, seed=length) for length in lengths
    ]
    expected = [alone(make_engine(), request) for request in requests]

    assert together(make_engine(slowly), requests) == expected
    assert together(make_engine(slots=3), requests) == expected


def test_a_request_joins_while_another_is_being_answered_and_leaves_before_it(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine(slowly)
    long = engine.generate(asked(max_tokens=200))
    next(long)

    short = alone(engine, asked("And on Sunday?", max_tokens=5))

    assert engine.running == 1
    assert short == alone(make_engine(), asked("And on Sunday?", max_tokens=5))
    assert len("".join(long)) > 0
    assert long.completion_tokens == 200
    assert until(lambda: engine.running == 0, seconds=5)


def test_a_long_prompt_does_not_stall_a_stream(make_engine: Callable[..., Engine]) -> None:
    sizes: list[int] = []
    engine = make_engine(lambda tokens: (sizes.append(tokens), time.sleep(STEP_SECONDS))[0])
    stream = engine.generate(asked(max_tokens=100))
    next(stream)
    sizes.clear()

    written = stream.completion_tokens
    reader = engine.generate(asked("x" * 1500, max_tokens=2))
    next(reader)

    # the prompt took many steps, each of which gave the stream a token too
    assert max(sizes) <= BESIDE_TOKENS + 1
    assert stream.completion_tokens - written >= 1500 // BESIDE_TOKENS
    stream.close()


def test_the_batch_never_has_more_rows_than_slots(make_engine: Callable[..., Engine]) -> None:
    sizes: list[int] = []
    engine = make_engine(sizes.append, slots=3, places=20)

    together(engine, [asked("short", max_tokens=12) for _ in range(12)])

    assert engine.tally.rows / engine.tally.steps <= 3
    assert engine.tally.rows > engine.tally.steps


def test_whoever_comes_and_goes_every_answer_is_its_own(
    make_engine: Callable[..., Engine], adapters: dict[str, Path], folder: Path
) -> None:
    expected = answers_that_no_rounding_decides(adapters, folder)
    engine = make_engine(slots=4, places=CLIENTS)
    for name, path in adapters.items():
        engine.load_adapter(name, path)
    engine._rack._memory_bytes = sum(adapter.bytes for adapter in engine._rack._known.values()) // 2
    wrong: list[tuple[GenerationRequest, str]] = []

    def ask(client: int) -> None:
        chance = random.Random(client)
        for number in range(25):
            request, answer = chance.choice(expected)
            asking, mine = request, f"mine-{client}-{number}"
            if request.adapter and chance.random() < 0.3:
                engine.load_adapter(mine, adapters[request.adapter])
                asking = replace(request, adapter=mine)
            generation = engine.generate(asking)
            if asking is not request:
                engine.unload_adapter(mine)
            pieces = list(islice(generation, chance.choice([3, 100])))  # some leave after three
            generation.close()
            text = "".join(pieces)
            if text != answer and not (len(pieces) == 3 and answer.startswith(text)):
                wrong.append((request, text))

    clients = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    assert wrong == []
    assert engine.tally.cache_hits > 0
    assert engine.tally.rows > 2 * engine.tally.steps
    assert until(lambda: engine.running == 0, seconds=5)


def answers_that_no_rounding_decides(adapters: dict[str, Path], folder: Path) -> list[tuple[GenerationRequest, str]]:
    """Requests of many lengths, some of which begin alike, and what transformers and peft answer."""
    chance, found = random.Random(0), []
    for name, path in [(None, None), *adapters.items()]:
        model: Any = LlamaForCausalLM.from_pretrained(folder)
        reference = PeftModel.from_pretrained(model, str(path)) if path else model
        for number in range(6):
            own = "".join(chance.choices("abcdef ", k=chance.choice([1, 9, 70, 200])))
            request = asked(SYSTEM * (number % 3) + own, adapter=name, max_tokens=chance.choice([1, 6, 14]))
            text, gap = by_transformers(reference, request)
            if gap > 0.001:
                found.append((request, text))
    assert len(found) > 20
    return found


def test_two_tokens_that_are_rounded_past_each_other_keep_their_luck() -> None:
    logits = torch.randn(258, generator=torch.Generator().manual_seed(0))
    logits[100:102] = 5
    one, other = logits.clone(), logits.clone()
    one[100] += 1e-6
    other[101] += 1e-6

    def drawn(each: torch.Tensor) -> list[int]:
        samplers = [Sampler(asked(temperature=1.0, top_p=0.95, seed=seed), each.device) for seed in range(200)]
        return [sampler.choose(each) for sampler in samplers]

    assert drawn(one) == drawn(other)
    assert {100, 101} < set(drawn(one))


@pytest.mark.parametrize("next_to_none", [{"temperature": 5e-324}, {"temperature": 1.0, "top_p": 5e-324}])
def test_next_to_no_chance_is_none(next_to_none: dict[str, float]) -> None:
    logits = torch.tensor([-3.0, 90.0, 89.9, 20.0])
    assert Sampler(asked(seed=1, **next_to_none), logits.device).choose(logits) == 1


# --- leaving ----------------------------------------------------------------------------------------------------------


def test_a_cancelled_request_leaves_within_one_step_and_the_others_go_on(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(slowly)
    stays, goes = engine.generate(asked(max_tokens=60)), engine.generate(asked("Where?", max_tokens=1000))
    next(goes)

    goes.cancel()
    steps = engine.tally.steps

    list(goes)
    assert engine.tally.steps <= steps + 2
    assert goes.finish_reason == "cancelled"
    assert "".join(stays) == alone(make_engine(), asked(max_tokens=60))


def test_who_has_read_the_end_finds_a_free_slot(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(slowly)
    running: list[int] = []
    generation = engine.generate(asked(max_tokens=3))
    generation.follow(lambda arrival: running.append(engine.running) if arrival is None else None)

    assert until(lambda: len(running) == 1, seconds=5)
    assert running == [0]


def test_a_deadline_ends_one_request_whether_it_runs_or_waits(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(slowly, slots=1, deadline_seconds=100 * STEP_SECONDS)
    running, waiting = engine.generate(asked(max_tokens=1000)), engine.generate(asked(max_tokens=1000))

    for generation in (running, waiting):
        with pytest.raises(TookTooLong):
            list(generation)

    after = engine.generate(asked(max_tokens=1))
    list(after)
    assert after.finish_reason == "length"


def test_work_in_the_background_has_more_time_since_it_gives_way(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(slowly, slots=2, deadline_seconds=100 * STEP_SECONDS)
    patient, person = (engine.generate(asked(max_tokens=1000, background=background)) for background in (True, False))
    with pytest.raises(TookTooLong):
        list(person)
    written = patient.completion_tokens
    assert until(lambda: patient.completion_tokens > written, seconds=5)
    patient.close()


@pytest.mark.parametrize("victim", ["the long prompt", "the last to come"])
def test_running_out_of_memory_fails_one_request_and_not_its_company(
    make_engine: Callable[..., Engine], victim: str
) -> None:
    most = BESIDE_TOKENS if victim == "the long prompt" else 1

    def burst(tokens: int) -> None:
        time.sleep(STEP_SECONDS)
        if failing.is_set() and tokens > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    failing = threading.Event()
    engine = make_engine(burst)
    first = engine.generate(asked(max_tokens=50))
    begun = next(first)
    failing.set()
    second = engine.generate(asked("x" * 1000 if victim == "the long prompt" else "Where?", max_tokens=50))

    with pytest.raises(OutOfMemory):
        list(second)
    failing.clear()
    assert begun + "".join(first) == alone(make_engine(), asked(max_tokens=50))


def test_a_request_for_which_there_is_no_slot_memory_fails_alone(
    make_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(slowly)
    first = engine.generate(asked(max_tokens=50))
    begun = next(first)
    monkeypatch.setattr("bot.serving.slots.Slots._empty", _no_memory)

    with pytest.raises(OutOfMemory):
        alone(engine, asked("x" * 1000))

    monkeypatch.undo()
    assert begun + "".join(first) == alone(make_engine(), asked(max_tokens=50))
    assert alone(engine, asked("x" * 1000))


def _no_memory(*_: Any) -> torch.Tensor:
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory")


def test_a_step_that_breaks_ends_its_requests_and_not_the_engine(make_engine: Callable[..., Engine]) -> None:
    broken = [ValueError("a bug")]

    def once(tokens: int) -> None:
        if broken:
            raise broken.pop()

    engine = make_engine(once)

    with pytest.raises(ValueError, match="a bug"):
        alone(engine, asked())
    assert alone(engine, asked()) == alone(make_engine(), asked())


# --- the queue --------------------------------------------------------------------------------------------------------


def test_fifty_clients_on_a_queue_of_eight_are_answered_or_turned_away(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(slowly, places=8, slots=4)
    expected = alone(engine, asked())
    answers: list[str] = []
    refused: list[ModelBusy] = []

    def ask() -> None:
        try:
            answers.append(alone(engine, asked()))
        except ModelBusy as busy:
            refused.append(busy)

    clients = [threading.Thread(target=ask) for _ in range(50)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    assert len(answers) + len(refused) == 50
    assert refused
    assert len(answers) >= 8
    assert set(answers) == {expected}
    assert (engine.running, engine.waiting) == (0, 0)


def test_a_request_between_its_place_and_its_slot_makes_no_room_for_another(
    make_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(slowly, slots=1, places=1)
    outcomes: list[str] = []
    held: list[Generation] = []
    take = Slots.take

    def ask_twice() -> None:
        for _ in range(2):
            try:
                held.append(engine.generate(asked(max_tokens=1000)))
                outcomes.append("waits")
            except ModelBusy:
                outcomes.append("refused")

    def take_after_others_asked(slots: Slots, tokens: int) -> int:
        others.start()
        others.join(timeout=0.3)  # they come while this one is on its way, or have to wait for it
        return take(slots, tokens)

    others = threading.Thread(target=ask_twice)
    monkeypatch.setattr(Slots, "take", take_after_others_asked)
    held.append(engine.generate(asked(max_tokens=1000)))

    assert until(lambda: len(outcomes) == 2, seconds=5)
    monkeypatch.undo()
    for generation in held:
        generation.close()
    assert outcomes == ["waits", "refused"]


def test_people_go_before_background_work_which_still_gets_its_turn(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(slowly, slots=1, places=20)
    order: list[str] = []
    blocking = engine.generate(asked(max_tokens=30))
    until(lambda: engine.running == 1, seconds=5)

    def ask(name: str, background: bool) -> Generation:
        generation = engine.generate(asked(max_tokens=1, background=background))
        generation.follow(lambda arrival: order.append(name) if arrival is None else None)
        return generation

    for number in range(2):
        ask(f"gate {number}", background=True)
    for number in range(8):
        ask(f"customer {number}", background=False)

    list(blocking)
    assert until(lambda: len(order) == 10, seconds=10)
    assert order[:4] == [f"customer {number}" for number in range(4)]
    assert order.index("gate 0") == 4
    assert [name for name in order if name.startswith("customer")] == [f"customer {number}" for number in range(8)]


def test_background_work_leaves_slots_and_places_to_people(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(slowly, slots=2)
    gate = [engine.generate(asked(max_tokens=500, background=True)) for _ in range(PLACES + 1)]
    assert until(lambda: engine.running == 1, seconds=5)

    assert alone(engine, asked())
    assert engine.waiting == PLACES
    for generation in gate:
        generation.close()


# --- adapters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_an_adapter_speaks_as_in_peft(
    make_engine: Callable[..., Engine], adapters: dict[str, Path], folder: Path, name: str
) -> None:
    engine = make_engine()
    engine.load_adapter(name, adapters[name])
    reference = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(folder), str(adapters[name]))

    assert alone(engine, asked(adapter=name)) == by_transformers(reference, asked())[0]


@pytest.mark.parametrize("eight_bits", [False, True])
def test_a_layer_gives_each_token_the_result_of_its_own_adapter(
    folder: Path, adapters: dict[str, Path], eight_bits: bool
) -> None:
    precision = torch.bfloat16 if eight_bits else torch.float32
    model = LlamaForCausalLM.from_pretrained(folder, dtype=precision)
    table = model.get_input_embeddings().weight.detach()
    mix, mixed = mix_adapters_into(model, eight_bits)
    layers = dict(pair for each in mixed for pair in each.layers())
    found = [join(read_adaptation(path, {"tiny"}, layers, "lm_head", table), mixed) for path in adapters.values()]
    deltas = [None, *(each.deltas for each in found)]
    torch.manual_seed(0)
    for layer in mixed:
        states = torch.randn(1, 3 * len(deltas), layer.base.in_features, dtype=precision)
        mix.arrange(deltas, [3] * len(deltas))
        together = layer(states).split(3, dim=1)

        for own, result, one in zip(states.split(3, dim=1), together, deltas, strict=True):
            mix.arrange([one], [3])
            torch.testing.assert_close(result, layer(own), **({"rtol": 0.05, "atol": 0.05} if eight_bits else {}))


def test_adapters_mixed_in_one_batch_speak_as_alone(
    make_engine: Callable[..., Engine], adapters: dict[str, Path]
) -> None:
    engine, single = make_engine(slowly), make_engine()
    for name, path in adapters.items():
        engine.load_adapter(name, path)
        single.load_adapter(name, path)
    requests = [
        asked(f"Question {number}" * (1 + 9 * number), adapter=name, max_tokens=12 + number)
        for number, name in enumerate([*adapters, None, *adapters][:8])
    ]
    expected = [alone(single, request) for request in requests]

    assert together(engine, requests) == expected
    assert len(set(expected)) == len(expected)


def test_adapters_mixed_in_one_batch_of_eight_bits_begin_as_alone(
    make_engine: Callable[..., Engine], adapters: dict[str, Path]
) -> None:
    engine, single = make_engine(slowly, eight_bits=True), make_engine(eight_bits=True)
    for name, path in adapters.items():
        engine.load_adapter(name, path)
        single.load_adapter(name, path)
    # the first token alone: bfloat16 rounds so much that the second may be another one in other company
    requests = [asked("Question" * 9, adapter=name, max_tokens=1) for name in (*adapters, None)]
    expected = [alone(single, request) for request in requests]

    assert together(engine, requests) == expected
    assert len(set(expected)) > 1


def test_adapters_beyond_memory_are_read_again_when_asked_for(
    make_engine: Callable[..., Engine], adapters: dict[str, Path]
) -> None:
    engine = make_engine()
    engine._rack._memory_bytes = 1
    for number in range(100):
        name = list(adapters)[number % len(adapters)]
        engine.load_adapter(f"{name}-{number}", adapters[name])
    in_memory = [adapter for adapter in engine._rack._known.values() if adapter.in_memory]
    assert len(in_memory) == 1

    first = alone(engine, asked(adapter="warm-0"))

    assert first == alone(engine, asked(adapter="warm-96"))
    assert first != alone(engine, asked(adapter="curt-1"))
    assert len(engine.adapters()) == 100


def test_an_adapter_that_is_read_at_once_still_speaks_though_memory_is_short(
    make_engine: Callable[..., Engine], adapters: dict[str, Path]
) -> None:
    engine, plain = make_engine(), make_engine()
    engine._rack._memory_bytes, engine._rack._reader = 1, ReadsAtOnce()
    for name in ("warm", "curt"):
        engine.load_adapter(name, adapters[name])
        plain.load_adapter(name, adapters[name])

    for name in ("warm", "curt", "warm"):
        assert alone(engine, asked(adapter=name)) == alone(plain, asked(adapter=name))


class ReadsAtOnce:
    """An executor whose work is done before `submit` returns, as it now and then is."""

    def submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(work(*arguments))
        return done


def test_an_adapter_whose_file_is_written_anew_speaks_on_as_before(
    make_engine: Callable[..., Engine], adapters: dict[str, Path], tmp_path: Path
) -> None:
    engine = make_engine()
    shutil.copytree(adapters["warm"], tmp_path / "warm")
    engine.load_adapter("warm", tmp_path / "warm")
    before = alone(engine, asked(adapter="warm"))

    with (tmp_path / "warm" / "adapter_model.safetensors").open("r+b") as file:
        half = file.seek(0, SEEK_END) // 2
        file.seek(half)
        file.write(b"\0" * half)

    assert alone(engine, asked(adapter="warm")) == before


def test_swaps_under_load_fail_nobody(make_engine: Callable[..., Engine], adapters: dict[str, Path]) -> None:
    engine, single = make_engine(), make_engine()
    expected = {}
    for name in ("warm", "curt"):
        single.load_adapter(name, adapters[name])
        expected[name] = alone(single, asked(SYSTEM, adapter=name))
    said: list[tuple[str, str]] = []

    for number in range(100):
        name = ("warm", "curt")[number % 2]
        engine.load_adapter("style", adapters[name])
        generation = engine.generate(asked(SYSTEM, adapter="style"))
        engine.unload_adapter("style")
        said.append((name, "".join(generation)))

    assert all(text == expected[name] for name, text in said)


# --- beginnings of prompts --------------------------------------------------------------------------------------------


def test_a_shared_beginning_is_read_once_for_each_adapter(
    make_engine: Callable[..., Engine], adapters: dict[str, Path]
) -> None:
    sizes: list[int] = []
    engine, plain = make_engine(sizes.append), make_engine()
    voices = ("warm", "curt", "soft", None)
    for each in (engine, plain):
        for name in voices[:3]:
            each.load_adapter(name, adapters[name])
    for adapter in voices:
        for question in ("When?", "Where?"):
            alone(engine, asked(SYSTEM * 3 + question, adapter=adapter))
    sizes.clear()

    for adapter in voices:
        third = engine.generate(asked(SYSTEM * 3 + "Why?", adapter=adapter))

        assert "".join(third) == alone(plain, asked(SYSTEM * 3 + "Why?", adapter=adapter))
        assert third.cached_tokens >= len(SYSTEM) * 3
    assert max(sizes) < LEAST_TOKENS
    assert engine.tally.cache_hits == len(voices)


def test_what_only_one_customer_wrote_is_not_kept(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()

    alone(engine, asked("My name is Ada and my card ends in 1234. " * 5))

    assert engine.prefix_bytes == 0


def test_a_new_adapter_under_an_old_name_finds_nothing_of_the_old(
    make_engine: Callable[..., Engine], adapters: dict[str, Path]
) -> None:
    engine, plain = make_engine(), make_engine()
    plain.load_adapter("style", adapters["curt"])
    engine.load_adapter("style", adapters["warm"])
    for question in ("When?", "Where?", "Why?"):
        alone(engine, asked(SYSTEM + question, adapter="style"))
    assert engine.prefix_bytes > 0

    engine.unload_adapter("style")
    assert engine.prefix_bytes == 0
    engine.load_adapter("style", adapters["curt"])
    after = engine.generate(asked(SYSTEM + "Why?", adapter="style"))

    assert "".join(after) == alone(plain, asked(SYSTEM + "Why?", adapter="style"))
    assert after.cached_tokens == 0


def test_an_adapter_unloaded_while_it_speaks_leaves_nothing_behind(
    make_engine: Callable[..., Engine], adapters: dict[str, Path]
) -> None:
    engine = make_engine(slowly, slots=1)
    engine.load_adapter("style", adapters["warm"])
    alone(engine, asked(SYSTEM + "When?", adapter="style", max_tokens=2))
    texts = [SYSTEM + question for question in ("Where?", "Why?", "Who?")]
    speaking = [engine.generate(asked(text, adapter="style", max_tokens=20)) for text in texts]

    engine.unload_adapter("style")
    for generation in speaking:
        list(generation)

    assert engine.prefix_bytes == 0


def test_beginnings_take_no_more_memory_than_they_may() -> None:
    memory = Remembered(torch.zeros(1, 1, 100, 4), torch.zeros(1, 1, 100, 4))
    prefixes = Prefixes(memory_bytes=3 * memory.bytes)
    for number in range(10):
        prefixes.worth_keeping(None, [number] * 100, 0)
        prefixes.keep(None, [number] * 100, memory)

    assert prefixes.bytes == 3 * memory.bytes
    assert prefixes.longest(None, [0] * 101) == (None, 0)
    assert prefixes.longest(None, [9] * 101)[1] == 100
    assert prefixes.longest("another", [9] * 101) == (None, 0)


def test_a_slot_that_is_used_again_says_nothing_of_the_one_before(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(slots=2)
    expected = [alone(make_engine(), asked(text)) for text in ("short", "y" * 30)]
    list(engine.generate(asked("secret " * 150)))

    assert together(engine, [asked("short"), asked("y" * 30)]) == expected


def test_memory_that_holds_no_numbers_spoils_no_answer(
    make_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [asked("z" * length, max_tokens=10 + length % 7) for length in (1, 200, 30, 90)]
    expected = [alone(make_engine(), request) for request in requests]
    empty = Slots._empty
    monkeypatch.setattr(Slots, "_empty", lambda slots, capacity: empty(slots, capacity).fill_(float("nan")))

    assert together(make_engine(slowly), requests) == expected


def test_eight_bits_stay_near_the_floats_for_few_tokens_and_for_many() -> None:
    torch.manual_seed(0)
    plain, states = torch.nn.Linear(64, 48, dtype=torch.bfloat16), torch.randn(1, 40, 64, dtype=torch.bfloat16)
    states[0, 4] *= 1000  # were states rounded to 8 bits by one scale, it would drown the others
    short = EightBitLinear(plain.weight.detach(), plain.bias.detach())

    many, exact = short(states), plain(states).detach()

    few = torch.cat([short(states[:, at : at + 8]) for at in range(0, 40, 8)], dim=1)
    for found in (many, few):
        assert ((found - exact).norm(dim=-1) / exact.norm(dim=-1)).max() < 0.02
    assert not torch.equal(many, few)  # one is not the other under two names


@pytest.mark.parametrize("rank", [1, 16, 20])
def test_an_adapter_of_eight_bits_does_what_it_does_in_floats(rank: int) -> None:
    torch.manual_seed(0)
    down, up, states = torch.randn(rank, 64), torch.randn(48, rank), torch.randn(40, 64, dtype=torch.bfloat16)
    up *= torch.logspace(-3, 3, rank)  # were one rank's scale the others', they would be lost
    rounded, short = rounded_pair(down, up)

    for rows in (states, states[:8]):
        inner, exact = product(rows, rounded.short, rounded.scale), rows.float() @ down.T
        assert torch.equal(inner[:, rank:], torch.zeros_like(inner[:, rank:]))
        for one in range(rank):
            alone, expected = torch.zeros_like(inner), exact[:, one : one + 1] * up[:, one]
            alone[:, one] = inner[:, one]
            assert (product(alone, short).float() - expected).norm() / expected.norm() < 0.02


def test_eight_bits_of_a_width_that_the_kernel_cannot_read_are_multiplied_otherwise() -> None:
    torch.manual_seed(0)
    weight, states = torch.randn(5, 7, dtype=torch.bfloat16), torch.randn(1, 3, 7, dtype=torch.bfloat16)
    exact = states.float() @ weight.float().T

    assert (EightBitLinear(weight, None)(states).float() - exact).norm() / exact.norm() < 0.02
