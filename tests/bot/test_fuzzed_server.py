"""The model server against bodies that a fuzzer makes up from the server's own description of its interface."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient

from bot.serving.api import create_app
from bot.serving.embeddings import Embedder
from bot.serving.engine import Engine
from bot.serving.weights import EMBEDDING_MODEL
from tests.bot.test_serving import KEY, embedder, engine, tiny_folder  # noqa: F401  fixtures

HEADERS = {"Authorization": f"Bearer {KEY}"}
ROUTES = {
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/load_lora_adapter"),
    ("POST", "/v1/unload_lora_adapter"),
    ("GET", "/v1/models"),
    ("GET", "/health"),
    ("GET", "/metrics"),
}
# as many bodies a route, the same in every run
FUZZING = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def served(engine: Engine, embedder: Embedder) -> TestClient:  # noqa: F811
    app = create_app(engine, {EMBEDDING_MODEL: embedder}, KEY)
    return TestClient(app, headers=HEADERS, raise_server_exceptions=False)


def described(served: TestClient) -> dict[str, Any]:
    """The description, with the names of models that there are, or hardly a body would get past the first look; and
    with short answers."""
    found: dict[str, Any] = served.get("/openapi.json").json()
    names = {"ChatBody": ["tiny", "unknown"], "EmbeddingsBody": [EMBEDDING_MODEL, "unknown"]}
    for body, models in names.items():
        found["components"]["schemas"][body]["properties"]["model"]["enum"] = models
    chat = found["components"]["schemas"]["ChatBody"]
    chat["required"] = [*chat["required"], "max_tokens"]
    chat["properties"]["max_tokens"] = {"type": "integer", "minimum": 1, "maximum": 8}
    del chat["properties"]["max_completion_tokens"]
    return found


def test_the_description_is_behind_the_key_and_has_every_route(served: TestClient) -> None:
    assert TestClient(served.app).get("/openapi.json").status_code == 401
    routes = described(served)["paths"]
    assert {(method.upper(), path) for path, methods in routes.items() for method in methods} == ROUTES


@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
def test_no_body_breaks_the_server(
    served: TestClient,
    engine: Engine,  # noqa: F811
    mode: schemathesis.GenerationMode,
) -> None:
    schema = schemathesis.openapi.from_dict(described(served))
    seen: set[tuple[str, int]] = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if mode is schemathesis.GenerationMode.NEGATIVE and not operation.body:
            continue  # what is not asked cannot be asked wrongly

        @FUZZING
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            sent = case.as_transport_kwargs(base_url="http://testserver", headers=HEADERS)
            wanted = {name: sent[name] for name in ("params", "json") if sent.get(name) is not None}
            if sent.get("data") is not None:
                wanted["content"] = sent["data"]
            answer = served.request(sent["method"], sent["url"], headers=sent["headers"], **wanted)
            # then each is answered, or refused in the shape that clients know, and never with a fault of ours
            seen.add((case.path, answer.status_code))
            assert answer.status_code in (200, 400, 404, 405, 409, 413, 422, 429), answer.text
            if answer.status_code != 200:
                assert answer.json()["error"]["message"]

        ask()
    # and nothing is left behind
    assert engine.running == engine.waiting == 0
    assert not engine.adapters()
    assert served.get("/health").json() == {"status": "ok"}
    if mode is schemathesis.GenerationMode.POSITIVE:
        assert {("/v1/chat/completions", 200), ("/v1/embeddings", 200)} <= seen
