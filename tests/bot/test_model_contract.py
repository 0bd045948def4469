"""What Frontdesk asks of a model server through `bot.model`: ours must do it, and vLLM where it is installed."""

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from pydantic import SecretStr

from bot import model
from bot.errors import AdapterRefused, ModelUnavailable
from bot.records import Adapter
from bot.serving.weights import locate
from bot.settings import Settings, load_settings
from tests.benchmarks import servers
from tests.benchmarks.serving import ADAPTERS, RANK, make_adapters

QUESTION = [HumanMessage("How long is a gift card valid?")]


@pytest.fixture(scope="module", params=["frontdesk", "vllm"])
def server(request: pytest.FixtureRequest) -> Iterator[Settings]:
    settings = load_settings()
    if request.param == "vllm" and importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed here (pip install vllm)")
    folder = locate(settings.model, settings)
    ours = partial(servers.frontdesk, settings.model, settings.models, {})
    theirs = partial(servers.vllm, settings.model, folder, RANK)
    with (theirs if request.param == "vllm" else ours)() as running:
        assert running
        yield settings.model_copy(update={"model_url": running.url, "model_api_key": SecretStr("bench")})


@pytest.fixture(scope="module")
def voices(server: Settings, tmp_path_factory: pytest.TempPathFactory) -> list[Adapter]:
    """Two voices of random numbers, large enough that no answer is the base's by chance."""
    made = make_adapters(locate(server.model, server), tmp_path_factory.mktemp("voices"), strength=0.3)
    return [voice(name, made[name], server) for name in ADAPTERS[:2]]


def voice(name: str, folder: Path, settings: Settings) -> Adapter:
    return Adapter(name, "candidate", str(folder), None, settings.model, {}, {}, datetime.now(UTC), None)


def said(server: Settings, name: str | None = None) -> str:
    with model.model_errors(server):
        return "".join(str(piece.content) for piece in model.chat(server, name, 24).stream(QUESTION))


def test_the_base_answers_in_pieces_and_twice_alike(server: Settings) -> None:
    with model.model_errors(server):
        pieces = [str(piece.content) for piece in model.chat(server, None, 24).stream(QUESTION)]

    assert sum(bool(piece) for piece in pieces) > 1
    assert "".join(pieces) == said(server)
    assert server.model in model.served(server)


def test_a_voice_speaks_from_its_loading_until_it_is_dropped(server: Settings, voices: list[Adapter]) -> None:
    base, names = said(server), [one.name for one in voices]
    for one in voices:
        model.ensure_adapter(server, one)
        model.ensure_adapter(server, one)  # again, as every process does that has not asked yet

    assert set(names) <= set(model.served(server))
    answers = {said(server, name) for name in names}
    assert len(answers | {base}) == 3
    assert said(server) == base

    model.drop_adapter(server, names[0])
    assert names[0] not in model.served(server)
    assert names[1] in model.served(server)
    with pytest.raises(ModelUnavailable, match=names[0]):
        said(server, names[0])
    model.drop_adapter(server, names[1])


def test_a_folder_that_holds_no_adapter_is_refused(server: Settings, tmp_path: Path) -> None:
    with pytest.raises(AdapterRefused, match="nothing-there"):
        model.ensure_adapter(server, voice("nothing-there", tmp_path / "nothing", server))
    assert "nothing-there" not in model.served(server)


def test_without_the_key_nothing_is_answered(server: Settings) -> None:
    stranger = server.model_copy(update={"model_api_key": SecretStr("another-key")})

    with pytest.raises(ModelUnavailable):
        said(stranger)
    with pytest.raises(ModelUnavailable):
        model.served(stranger)
