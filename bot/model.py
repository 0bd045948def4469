"""The only builder of chat and embedding clients, and the only speaker to the model server's adapter routes.

The server may be ours (`bot.serving`) or vLLM: both speak the OpenAI interface and vLLM's adapter routes. Their
errors become ours here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import openai
from langchain_core.embeddings import Embeddings
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from bot.errors import AdapterRefused, ModelBusy, ModelUnavailable
from bot.records import Adapter
from bot.settings import Settings

EMBEDDING_BATCH = 128  # texts a request: 128 chunks are some 150 KB; our server takes 256 texts and 1 MB
ADAPTER_TIMEOUT_SECONDS = 60


def chat(settings: Settings, adapter: str | None) -> ChatOpenAI:
    """A streaming chat model: the base, or the base speaking in an adapter's style."""
    return ChatOpenAI(
        model=adapter or settings.model,
        base_url=f"{settings.model_url}/v1",
        api_key=settings.model_api_key,
        temperature=0,
        max_completion_tokens=settings.max_answer_tokens,
        timeout=settings.request_timeout_seconds,
        max_retries=0,
        streaming=True,
    )


def embeddings(settings: Settings, *, model: str | None = None, background: bool = False) -> Embeddings:
    """The embedding model: unit vectors, so that a dot product is a cosine. In the background it gives way to all."""
    client = OpenAIEmbeddings(
        model=model or settings.embedding_model,
        default_headers={"X-Frontdesk-Priority": "background"} if background else None,
        openai_api_base=f"{settings.model_url}/v1",
        openai_api_key=settings.model_api_key,
        check_embedding_ctx_length=False,  # that would send token ids of another model's tokenizer
        chunk_size=EMBEDDING_BATCH,
        request_timeout=settings.request_timeout_seconds,
        max_retries=1,
    )
    return _Embeddings(settings, client)


@dataclass(frozen=True)
class _Embeddings(Embeddings):
    """The client, with its errors made ours."""

    settings: Settings
    client: OpenAIEmbeddings

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        with model_errors(self.settings):
            return self.client.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        with model_errors(self.settings):
            return self.client.embed_query(text)


@contextmanager
def model_errors(settings: Settings) -> Iterator[None]:
    """Turn the client's errors into a sentence that a person can act on."""
    try:
        yield
    except openai.RateLimitError as error:
        raise ModelBusy("Many people are asking at once; please ask again in a moment.") from error
    except (openai.APITimeoutError, openai.APIConnectionError) as error:
        raise ModelUnavailable(
            f"The model at {settings.model_url} does not answer; `frontdesk status` shows whether it is up."
        ) from error
    except openai.APIStatusError as error:
        raise ModelUnavailable(f"The model at {settings.model_url} refused: {error.message}") from error


def ensure_adapter(settings: Settings, adapter: Adapter) -> None:
    """Make sure that the server serves this adapter: after its restart, on every replica, for a new version."""
    if adapter.name in served(settings):
        return
    response = _post(settings, "load_lora_adapter", {"lora_name": adapter.name, "lora_path": adapter.path})
    if response.status_code >= 400 and adapter.name not in served(settings):
        raise AdapterRefused(f"The model server refused the adapter {adapter.name}: {_reason(response)}")


def drop_adapter(settings: Settings, name: str) -> None:
    """Free the server of an adapter that no one asks for any more."""
    _post(settings, "unload_lora_adapter", {"lora_name": name})


def served(settings: Settings) -> list[str]:
    """The model ids that the server answers to: the base and its loaded adapters."""
    try:
        response = httpx.get(f"{settings.model_url}/v1/models", headers=_key(settings), timeout=5)
        response.raise_for_status()
    except httpx.HTTPError as error:
        raise ModelUnavailable(
            f"The model at {settings.model_url} does not answer; `frontdesk status` shows whether it is up."
        ) from error
    return [model["id"] for model in response.json()["data"]]


def _post(settings: Settings, route: str, body: dict[str, str]) -> httpx.Response:
    url = f"{settings.model_url}/v1/{route}"
    try:
        return httpx.post(url, json=body, headers=_key(settings), timeout=ADAPTER_TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        raise ModelUnavailable(f"The model at {settings.model_url} does not answer ({error}).") from error


def _key(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings.model_api_key.get_secret_value()}"}


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
