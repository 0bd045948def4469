"""The only builder of chat and embedding clients, and the only speaker to the model server's adapter routes.

The server may be ours (`bot.serving`) or vLLM: both speak the OpenAI interface and vLLM's adapter routes. Their
errors become ours here.
"""

import functools
import hashlib
import ssl
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import numpy as np
import openai
from langchain_core.embeddings import Embeddings
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from bot.errors import AdapterRefused, ModelBusy, ModelUnavailable
from bot.priority import BACKGROUND, HEADER, PATIENCE
from bot.records import Adapter
from bot.settings import Settings

REMEMBERED_VECTORS = 4_096  # 1.5 KB each: a question is embedded once, not by search, evidence and pins each
EMBEDDING_BATCH = 128  # texts a request: 128 chunks are some 150 KB; our server takes 256 texts and 1 MB
ADAPTER_TIMEOUT_SECONDS = 60


def chat(
    settings: Settings, adapter: str | None, most_tokens: int | None = None, *, background: bool = False
) -> ChatOpenAI:
    """A streaming chat model: the base, or the base speaking in an adapter's style. In the background customers go
    first."""
    return ChatOpenAI(
        model=adapter or settings.model,
        default_headers=_headers(background),
        base_url=f"{settings.model_url}/v1",
        api_key=settings.model_api_key,
        temperature=0,
        max_completion_tokens=most_tokens or settings.max_answer_tokens,
        timeout=_patience(settings, background),
        max_retries=0,
        streaming=True,
    )


def embeddings(settings: Settings, *, model: str | None = None, background: bool = False) -> Embeddings:
    """The embedding model: unit vectors, so that a dot product is a cosine. In the background it gives way to all."""
    client = OpenAIEmbeddings(
        model=model or settings.embedding_model,
        default_headers=_headers(background),
        openai_api_base=f"{settings.model_url}/v1",
        openai_api_key=settings.model_api_key,
        check_embedding_ctx_length=False,  # that would send token ids of another model's tokenizer
        chunk_size=EMBEDDING_BATCH,
        request_timeout=_patience(settings, background),
        max_retries=1,
    )
    return _Embeddings(settings, client, _Vectors(0 if background else REMEMBERED_VECTORS))


def _headers(background: bool) -> dict[str, str] | None:
    return {HEADER: BACKGROUND} if background else None


def _patience(settings: Settings, background: bool) -> float:
    """Seconds to wait for the server's next word: as long as it may take for the whole."""
    return settings.request_timeout_seconds * (PATIENCE if background else 1)


class _Vectors:
    """Vectors of texts that were embedded a moment ago, by a digest of the text, so that no text outlives its document
    here; the least recently used goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str) -> list[float] | None:
        """A text's vector, if it is known."""
        key = _digest(text)
        with self._lock:
            if key not in self._known:
                return None
            self._known.move_to_end(key)
            vector: list[float] = self._known[key].tolist()
            return vector

    def put(self, text: str, vector: list[float]) -> None:
        """Remember a text's vector."""
        with self._lock:
            self._known[_digest(text)] = np.array(vector, np.float32)
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


@dataclass(frozen=True)
class _Embeddings(Embeddings):
    """The client of one model, with its errors made ours, and what it said a moment ago."""

    settings: Settings
    client: OpenAIEmbeddings
    vectors: _Vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text; each text that is not known is asked for once."""
        known = {text: vector for text in texts if (vector := self.vectors.get(text)) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            with model_errors(self.settings):
                known |= zip(new, self.client.embed_documents(new), strict=True)
        for text in new:
            self.vectors.put(text, known[text])
        return [known[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        return self.embed_documents([text])[0]


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
    except openai.APIError as error:  # what a stream says that breaks off in the middle
        raise ModelUnavailable(f"The model at {settings.model_url} broke off: {error.message}") from error


def rerank(settings: Settings, query: str, texts: Sequence[str]) -> list[float]:
    """How well each text answers the query by the cross-encoder of the settings; higher is better (Cohere's and vLLM's
    route). Raises `ModelUnavailable` where the server has none, or does not answer."""
    body = {"model": settings.reranker, "query": query, "documents": list(texts)}
    response = _post(settings, "rerank", body, settings.request_timeout_seconds)
    if response.status_code >= 400:
        raise ModelUnavailable(f"The model at {settings.model_url} does not rerank: {_reason(response)}")
    scores = {result["index"]: float(result["relevance_score"]) for result in response.json()["results"]}
    return [scores[at] for at in range(len(texts))]


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
        response = httpx.get(
            f"{settings.model_url}/v1/models", headers=_key(settings), timeout=5, verify=_certificates()
        )
        response.raise_for_status()
    except httpx.HTTPError as error:
        raise ModelUnavailable(
            f"The model at {settings.model_url} does not answer; `frontdesk status` shows whether it is up."
        ) from error
    return [model["id"] for model in response.json()["data"]]


def _post(
    settings: Settings, route: str, body: Mapping[str, object], timeout_seconds: float = ADAPTER_TIMEOUT_SECONDS
) -> httpx.Response:
    url = f"{settings.model_url}/v1/{route}"
    try:
        return httpx.post(url, json=body, headers=_key(settings), timeout=timeout_seconds, verify=_certificates())
    except httpx.HTTPError as error:
        raise ModelUnavailable(f"The model at {settings.model_url} does not answer ({error}).") from error


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Read once: every answer of a style asks what is served, and to read them takes 30 ms."""
    return httpx.create_ssl_context()


def _key(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings.model_api_key.get_secret_value()}"}


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
