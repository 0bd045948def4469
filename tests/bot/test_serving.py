"""The model server, on a tiny Llama that is made here, the real embedding model, and a real socket where it matters."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
import uvicorn
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from peft import LoraConfig, get_peft_model
from pydantic import SecretStr
from safetensors.torch import load_file, save_file
from starlette.testclient import TestClient
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from bot.errors import AdapterRefused, ModelBusy
from bot.serving.api import create_app
from bot.serving.embeddings import Embedder
from bot.serving.engine import PLACES, Engine
from bot.serving.generation import GenerationRequest
from bot.serving.refusals import AdapterLoaded, PromptTooLong, TookTooLong, UnknownModel
from bot.serving.text import PieceDecoder, StopFilter
from bot.serving.weights import EMBEDDING_MODEL, locate
from bot.settings import load_settings

Fast: Any = PreTrainedTokenizerFast  # untyped
KEY = "a-test-key"
STEP_SECONDS = 0.02
QUESTION = {"role": "user", "content": "When do you open?"}
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


# --- the parts ------------------------------------------------------------------------------------------------------


def byte_tokenizer() -> Any:
    """One token a byte, so that every character beyond ASCII takes several."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=258,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([], trainer)
    fast: Any = Fast(tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>")
    fast.chat_template = TEMPLATE
    return fast


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
        initializer_range=0.5,
    )
    model = LlamaForCausalLM(config)
    model.lm_head.weight.data[:2] = 0  # so that a greedy answer never ends by itself
    folder = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def engine(tiny_folder: Path) -> Engine:
    return Engine.load("tiny", tiny_folder)


@pytest.fixture
def steps() -> list[float]:
    """When the slow engine took a step."""
    return []


@pytest.fixture
def slow_engine(tiny_folder: Path, steps: list[float]) -> Engine:
    """The same model, made to take its time over each token, for one request at a time."""
    model = LlamaForCausalLM.from_pretrained(tiny_folder)

    def take_time(*_: Any) -> None:
        steps.append(time.monotonic())
        time.sleep(STEP_SECONDS)

    model.register_forward_hook(take_time)
    return Engine(model, byte_tokenizer(), "tiny", tiny_folder, slots=1)


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    settings = load_settings()
    return Embedder.load(EMBEDDING_MODEL, locate(EMBEDDING_MODEL, settings), settings.models)


@pytest.fixture
def client(engine: Engine, embedder: Embedder) -> TestClient:
    return TestClient(create_app(engine, {EMBEDDING_MODEL: embedder}, KEY), headers={"Authorization": f"Bearer {KEY}"})


@pytest.fixture
def serve(embedder: Embedder) -> Iterator[Callable[[Engine], str]]:
    """Serves an engine on a real socket and returns its address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(engine: Engine) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(create_app(engine, {EMBEDDING_MODEL: embedder}, KEY), log_level="warning")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture
def make_adapter(tiny_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a LoRA adapter whose numbers depend on its name."""

    def make(name: str, spoil: Callable[[Path], None] = lambda folder: None) -> Path:
        base = LlamaForCausalLM.from_pretrained(tiny_folder)
        torch.manual_seed(sum(name.encode()))
        model = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False))
        model.save_pretrained(str(tmp_path / name))
        spoil(tmp_path / name)
        return tmp_path / name

    return make


def asked(text: str = "When do you open?", **changes: Any) -> GenerationRequest:
    return GenerationRequest(({"role": "user", "content": text},), **{"max_tokens": 24, **changes})


def answer(engine: Engine, **changes: Any) -> str:
    return "".join(engine.generate(asked(**changes)))


def until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def chat_body(**changes: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": [QUESTION], "max_tokens": 24, "temperature": 0, **changes}


def events(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.split("\n\n") if line]


def edit_config(**changes: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return spoil


def edit_tensors(change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        tensors = load_file(folder / "adapter_model.safetensors")
        change(tensors)
        save_file(tensors, folder / "adapter_model.safetensors")

    return spoil


# --- text -----------------------------------------------------------------------------------------------------------


def test_a_character_of_several_tokens_comes_out_whole() -> None:
    tokenizer = byte_tokenizer().backend_tokenizer
    decoder = PieceDecoder(tokenizer)
    text = "Grüße, 你好 🎉!"

    pieces = [decoder.step(token) for token in tokenizer.encode(text).ids]

    assert "".join(pieces) == text
    assert "�" not in "".join(pieces)
    assert "🎉" in pieces


def test_text_stops_before_a_stop_string_that_arrives_in_parts() -> None:
    stops = StopFilter(["\n\nUser:"])

    let_through = [stops.feed(piece) for piece in ["We open\n", "at nine.\n", "\nUs", "er: thanks"]]

    assert "".join(let_through) == "We open\nat nine."
    assert stops.stopped


# --- the engine -----------------------------------------------------------------------------------------------------


def test_the_engine_writes_what_transformers_would_write(engine: Engine, tiny_folder: Path) -> None:
    tokenizer = byte_tokenizer()
    # more than one prefill step long
    long = "tell me more " * 40
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": long}], add_generation_prompt=True, return_tensors="pt"
    )["input_ids"]
    reference: Any = LlamaForCausalLM.from_pretrained(tiny_folder)
    written = reference.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False)
    expected = tokenizer.decode(written[0, prompt.shape[1] :], skip_special_tokens=True)

    generation = engine.generate(asked(long))

    assert "".join(generation) == expected.rstrip("�")
    assert (generation.prompt_tokens, generation.completion_tokens) == (prompt.shape[1], 24)
    assert generation.finish_reason == "length"


def test_an_answer_ends_at_the_models_end_token(tiny_folder: Path) -> None:
    endless = Engine.load("tiny", tiny_folder).generate(asked())
    text = "".join(endless)
    tokens = byte_tokenizer().encode(text)
    model = LlamaForCausalLM.from_pretrained(tiny_folder)
    model.generation_config.eos_token_id = [1, tokens[-1]]

    generation = Engine(model, byte_tokenizer(), "tiny", tiny_folder).generate(asked())

    assert text.startswith("".join(generation))
    assert generation.finish_reason == "stop"
    assert generation.completion_tokens < endless.completion_tokens


def test_the_same_seed_writes_the_same_and_another_seed_something_else(engine: Engine) -> None:
    first, again, other = (answer(engine, temperature=1.0, seed=seed) for seed in (7, 7, 8))

    assert first == again
    assert first != other


def test_a_prompt_that_does_not_fit_is_refused_and_keeps_no_place(engine: Engine) -> None:
    for _ in range(PLACES + 2):
        with pytest.raises(PromptTooLong, match="context is 2048 tokens"):
            engine.generate(asked("x" * 2040))

    assert answer(engine)


def test_marks_of_the_chat_template_in_a_message_are_only_text(engine: Engine) -> None:
    plain = engine.generate(asked("a<b"))
    marked = engine.generate(asked("a<|im_end|>"))
    plain.close()
    marked.close()

    # spelled out letter by letter: one token a byte, and a space in between
    assert marked.prompt_tokens - plain.prompt_tokens == len("< |im_end|>") - len("<b")


def test_requests_beyond_the_waiting_places_are_turned_away(slow_engine: Engine) -> None:
    held = [slow_engine.generate(asked(max_tokens=1000)) for _ in range(PLACES + 1)]

    with pytest.raises(ModelBusy, match="ask again in a moment"):
        slow_engine.generate(asked())

    held[-1].close()
    assert until(lambda: slow_engine.waiting == PLACES - 1, seconds=5)
    for generation in held:
        generation.close()


def test_closing_the_iterator_makes_room_for_the_next(engine: Engine) -> None:
    left = engine.generate(asked(max_tokens=1000))
    next(left)

    left.close()

    assert left.completion_tokens < 1000
    assert answer(engine)


def test_a_request_that_takes_too_long_is_stopped(tiny_folder: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(tiny_folder)
    model.register_forward_hook(lambda *_: time.sleep(STEP_SECONDS))
    hurried = Engine(model, byte_tokenizer(), "tiny", tiny_folder, deadline_seconds=3 * STEP_SECONDS)

    with pytest.raises(TookTooLong):
        answer(hurried, max_tokens=1000)


# --- adapters -------------------------------------------------------------------------------------------------------


def test_two_adapters_speak_differently_and_leave_the_base_alone(
    engine: Engine, make_adapter: Callable[..., Path]
) -> None:
    base = answer(engine)
    engine.load_adapter("style-1.0", make_adapter("warm"))
    engine.load_adapter("style-1.1", make_adapter("curt"))

    warm, curt = answer(engine, adapter="style-1.0"), answer(engine, adapter="style-1.1")

    assert len({base, warm, curt}) == 3
    assert answer(engine) == base
    assert answer(engine, adapter="style-1.0") == warm
    for name in ("style-1.0", "style-1.1"):
        engine.unload_adapter(name)
    assert engine.adapters() == {}
    assert answer(engine) == base


def test_an_adapter_is_loaded_once_and_unloaded_once(engine: Engine, make_adapter: Callable[..., Path]) -> None:
    folder = make_adapter("warm")
    engine.load_adapter("warm", folder)

    with pytest.raises(AdapterLoaded, match="already been loaded"):
        engine.load_adapter("warm", folder)
    engine.unload_adapter("warm")
    with pytest.raises(UnknownModel, match="cannot be found"):
        engine.unload_adapter("warm")
    with pytest.raises(UnknownModel, match="does not exist"):
        engine.generate(asked(adapter="warm"))


def test_an_adapter_taken_away_while_a_request_waits_is_not_replaced_by_another(
    slow_engine: Engine, make_adapter: Callable[..., Path]
) -> None:
    slow_engine.load_adapter("style", make_adapter("warm"))
    warm = answer(slow_engine, adapter="style")
    running, waiting = (slow_engine.generate(asked(adapter="style")) for _ in range(2))

    slow_engine.unload_adapter("style")
    with pytest.raises(UnknownModel):
        slow_engine.generate(asked(adapter="style"))
    slow_engine.load_adapter("style", make_adapter("curt"))
    after = slow_engine.generate(asked(adapter="style"))

    assert "".join(running) == "".join(waiting) == warm
    assert "".join(after) != warm


def _nan(tensors: dict[str, torch.Tensor]) -> None:
    next(iter(tensors.values()))[0, 0] = float("nan")


def _wrong_shape(tensors: dict[str, torch.Tensor]) -> None:
    name = next(iter(tensors))
    tensors[name] = torch.zeros(4, 99)


def _stranger(tensors: dict[str, torch.Tensor]) -> None:
    tensors["base_model.model.somewhere.else.lora_A.weight"] = torch.zeros(4, 32)


def _one_missing(tensors: dict[str, torch.Tensor]) -> None:
    tensors.pop(next(iter(tensors)))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (edit_tensors(_nan), "NaN"),
        (edit_tensors(_wrong_shape), "does not fit"),
        (edit_tensors(_stranger), "unexpected or missing"),
        (edit_tensors(_one_missing), "unexpected or missing"),
        (lambda folder: (folder / "adapter_model.bin").write_bytes(b"pickle"), "adapter_model.bin"),
        (lambda folder: (folder / "notes.md").symlink_to("/etc/hostname"), "symbolic link"),
        (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"nothing"), "unreadable"),
        (lambda folder: (folder / "adapter_config.json").write_text("{"), "unreadable"),
        (lambda folder: (folder / "adapter_config.json").unlink(), "has no adapter_config.json"),
        (edit_config(base_model_name_or_path="/models/another"), "trained for the base"),
        (edit_config(peft_type="PREFIX_TUNING"), "only LORA"),
        (edit_config(target_modules=["no_such_layer"]), "does not fit"),
        (edit_config(modules_to_save=["lm_head"]), "modules_to_save"),
        (edit_config(init_lora_weights="pissa"), "changes the weights"),
        (edit_config(r=10**9), "rank"),
    ],
)
def test_a_bad_adapter_is_refused_and_the_server_goes_on(
    engine: Engine, make_adapter: Callable[..., Path], spoil: Callable[[Path], None], reason: str
) -> None:
    base = answer(engine)
    engine.load_adapter("good", make_adapter("good"))
    good = answer(engine, adapter="good")

    with pytest.raises(AdapterRefused, match=reason):
        engine.load_adapter("bad", make_adapter("bad", spoil))

    assert list(engine.adapters()) == ["good"]
    assert (answer(engine), answer(engine, adapter="good")) == (base, good)


# --- the interface --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["/health", "/metrics", "/v1/models", "/v1/chat/completions", "/nowhere"])
def test_every_route_wants_the_key(client: TestClient, route: str) -> None:
    for header in ("Bearer wrong", "", f"Basic {KEY}"):
        response = client.get(route, headers={"Authorization": header})

        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"


def test_a_streamed_answer_equals_the_whole_one(client: TestClient) -> None:
    whole = client.post("/v1/chat/completions", json=chat_body()).json()
    stream = client.post("/v1/chat/completions", json=chat_body(stream=True, stream_options={"include_usage": True}))

    *chunks, done = events(stream.text)
    read = [json.loads(chunk) for chunk in chunks]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in read[:-1])
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert text == whole["choices"][0]["message"]["content"]
    assert read[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"] == "length"
    assert read[-1]["usage"] == whole["usage"]
    assert whole["usage"]["completion_tokens"] == 24
    assert done == "[DONE]"


@pytest.mark.parametrize(
    "changes",
    [
        {"tools": []},
        {"prompt_embeds": "AAAA"},
        {"n": 2},
        {"max_tokens": 1025},
        {"temperature": float("nan")},
        {"messages": []},
        {"messages": [QUESTION] * 65},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
        {"messages": [{"role": "user", "content": "half a pair: \ud800"}]},
    ],
)
def test_what_the_server_does_not_honour_is_refused(client: TestClient, changes: dict[str, Any]) -> None:
    response = client.post("/v1/chat/completions", content=json.dumps(chat_body(**changes)))

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_body_too_large_is_refused_before_it_is_read(client: TestClient) -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(80):
            yield b"x" * 1024

    assert client.post("/v1/chat/completions", content=blocks()).status_code == 413
    assert client.post("/v1/chat/completions", content=b"[" * 60_000).status_code == 400


def test_an_unknown_model_and_an_unknown_route_are_named(client: TestClient) -> None:
    model = client.post("/v1/chat/completions", json=chat_body(model="gpt"))
    route = client.get("/v1/nothing")

    assert (model.status_code, model.json()["error"]["code"]) == (404, "model_not_found")
    assert "'gpt'" in model.json()["error"]["message"]
    assert (route.status_code, route.json()["error"]["code"]) == (404, "no_such_route")


def test_a_full_queue_answers_429_and_health_stays_up(slow_engine: Engine) -> None:
    client = TestClient(create_app(slow_engine, {}, KEY), headers={"Authorization": f"Bearer {KEY}"})
    held = [slow_engine.generate(asked(max_tokens=1000)) for _ in range(PLACES + 1)]
    assert until(lambda: slow_engine.waiting == PLACES, seconds=5)

    response = client.post("/v1/chat/completions", json=chat_body(stream=True))

    assert (response.status_code, response.json()["error"]["code"]) == (429, "busy")
    assert int(response.headers["Retry-After"]) > 0
    assert client.get("/health").status_code == 200
    assert f"frontdesk_queue_length {PLACES}.0" in client.get("/metrics").text
    for generation in held:
        generation.close()
    assert client.post("/v1/chat/completions", json=chat_body()).status_code == 200


def test_the_figures_tell_of_queue_batch_tokens_and_cache(client: TestClient, engine: Engine) -> None:
    for question in ("When?", "Where?", "Why?"):
        messages = [{"role": "system", "content": "We sell lamps. " * 5}, {"role": "user", "content": question}]
        client.post("/v1/chat/completions", json=chat_body(messages=messages))

    figures = client.get("/metrics").text
    assert "frontdesk_first_token_seconds_count 3.0" in figures
    assert "frontdesk_between_tokens_seconds_bucket" in figures
    assert 'frontdesk_generated_tokens_total{adapter="tiny"} 72.0' in figures
    assert "frontdesk_prefix_requests_total 3.0" in figures
    assert "frontdesk_prefix_hits_total 1.0" in figures
    assert "frontdesk_batch_size 0.0" in figures
    assert f"frontdesk_step_rows_total {engine.tally.rows}.0" in figures


def test_background_work_says_so_in_a_header(serve: Callable[[Engine], str], slow_engine: Engine) -> None:
    held = [slow_engine.generate(asked(max_tokens=1000, background=True)) for _ in range(PLACES + 1)]
    assert until(lambda: slow_engine.running == 1, seconds=5)
    url = f"{serve(slow_engine)}/v1/chat/completions"
    headers = {"Authorization": f"Bearer {KEY}", "X-Frontdesk-Priority": "background"}

    assert httpx.post(url, json=chat_body(), headers=headers).status_code == 429
    with pytest.raises(httpx.ReadTimeout):  # a person's request waits for the slot
        httpx.post(url, json=chat_body(), headers={"Authorization": f"Bearer {KEY}"}, timeout=0.3)
    for generation in held:
        generation.close()


def test_running_out_of_memory_fails_one_request_only(tiny_folder: Path, embedder: Embedder) -> None:
    model = LlamaForCausalLM.from_pretrained(tiny_folder)
    failures = [torch.OutOfMemoryError("out of memory")]

    def fail_once(*_: Any) -> None:
        if failures:
            raise failures.pop()

    model.register_forward_hook(fail_once)
    app = create_app(Engine(model, byte_tokenizer(), "tiny", tiny_folder), {EMBEDDING_MODEL: embedder}, KEY)
    client = TestClient(app, headers={"Authorization": f"Bearer {KEY}"})

    first = client.post("/v1/chat/completions", json=chat_body())
    second = client.post("/v1/chat/completions", json=chat_body())

    assert (first.status_code, first.json()["error"]["code"]) == (503, "out_of_memory")
    assert second.status_code == 200


def test_adapters_come_and_go_over_the_interface(client: TestClient, make_adapter: Callable[..., Path]) -> None:
    body = {"lora_name": "warm", "lora_path": str(make_adapter("warm"))}

    assert client.post("/v1/load_lora_adapter", json=body).status_code == 200
    again = client.post("/v1/load_lora_adapter", json=body)
    assert (again.status_code, "already been loaded" in again.json()["error"]["message"]) == (400, True)
    assert client.post("/v1/chat/completions", json=chat_body(model="warm")).json()["model"] == "warm"
    cards = {card["id"]: card["parent"] for card in client.get("/v1/models").json()["data"]}
    assert cards == {"tiny": None, "warm": "tiny"}
    assert 'frontdesk_generated_tokens_total{adapter="warm"} 24.0' in client.get("/metrics").text
    assert client.post("/v1/unload_lora_adapter", json={"lora_name": "warm"}).status_code == 200
    assert client.post("/v1/unload_lora_adapter", json={"lora_name": "warm"}).status_code == 404
    refused = client.post("/v1/load_lora_adapter", json={"lora_name": "x", "lora_path": "/no/such\0folder"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "adapter_refused")


def test_langchain_clients_work(serve: Callable[[Engine], str], engine: Engine, embedder: Embedder) -> None:
    url = f"{serve(engine)}/v1"
    chat = ChatOpenAI(
        model="tiny", base_url=url, api_key=SecretStr(KEY), temperature=0, max_completion_tokens=24, streaming=True
    )
    embeddings = OpenAIEmbeddings(
        model=EMBEDDING_MODEL, openai_api_base=url, openai_api_key=SecretStr(KEY), check_embedding_ctx_length=False
    )
    texts = ["We open at nine.", "The shop's doors open at 9 o'clock.", "Ferrets eat meat."]

    streamed = "".join(str(chunk.content) for chunk in chat.stream("When do you open?"))
    vectors = torch.tensor(embeddings.embed_documents(texts))

    assert streamed == answer(engine)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert torch.allclose(vectors, torch.tensor(embedder.embed(texts).vectors), atol=1e-5)


def test_embeddings_do_not_wait_for_the_chat_model(slow_engine: Engine, embedder: Embedder) -> None:
    app = create_app(slow_engine, {EMBEDDING_MODEL: embedder}, KEY)
    client = TestClient(app, headers={"Authorization": f"Bearer {KEY}"})
    held = slow_engine.generate(asked(max_tokens=1000))

    one = client.post("/v1/embeddings", json={"model": EMBEDDING_MODEL, "input": "opening hours"})

    assert slow_engine.running == 1
    held.close()
    assert len(one.json()["data"][0]["embedding"]) == 384
    assert client.post("/v1/embeddings", json={"model": "other", "input": "x"}).status_code == 404


@pytest.mark.parametrize("streamed", [True, False])
def test_when_the_client_leaves_the_writing_stops_within_a_second(
    serve: Callable[[Engine], str], slow_engine: Engine, steps: list[float], streamed: bool
) -> None:
    url = serve(slow_engine)
    body = json.dumps(chat_body(max_tokens=1000, stream=streamed)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0))
    connection.sendall(head.encode() + body)
    assert until(lambda: len(steps) > 3, seconds=5)

    left = time.monotonic()
    connection.close()
    answer(slow_engine, max_tokens=1)  # gets its turn

    # the one who left had 20 s of text to come
    assert time.monotonic() - left < 1


def test_a_client_who_leaves_while_waiting_gives_up_the_place(
    serve: Callable[[Engine], str], slow_engine: Engine
) -> None:
    url = serve(slow_engine)
    held = slow_engine.generate(asked(max_tokens=1000))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{url}/v1/chat/completions", json=chat_body(), headers={"Authorization": f"Bearer {KEY}"}, timeout=0.3
        )

    assert until(lambda: slow_engine.waiting == 0, seconds=1)
    held.close()
    assert answer(slow_engine)
