"""The dense leg: vectors in Chroma, and the only importer of chromadb. It knows chunk ids and cosines, not which
version of a document is active; that is the ledger's to say."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import urlsplit

import chromadb
import httpx
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError, NotFoundError
from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings

from bot.errors import SearchUnavailable
from bot.records import Chunk

UPSERT_BATCH = 100


class Knowledge:
    """One collection of a Chroma server."""

    def __init__(self, url: str, collection: str, embeddings: Embeddings) -> None:
        self.url = url
        self.collection = collection
        self.embeddings = embeddings

    @cached_property
    def _store(self) -> Chroma:
        place = urlsplit(self.url)
        client = chromadb.HttpClient(
            host=place.hostname or "127.0.0.1",
            port=place.port or 8000,
            ssl=place.scheme == "https",
            settings=ChromaSettings(anonymized_telemetry=False),
        )
        return Chroma(
            self.collection,
            self.embeddings,
            client=client,
            collection_configuration={"hnsw": {"space": "cosine"}},
        )

    def upsert(self, chunks: Sequence[Chunk]) -> None:
        """Embed chunks, their heading in front, and store their vectors; to store one again changes nothing."""
        with self._chroma_errors():
            for start in range(0, len(chunks), UPSERT_BATCH):
                batch = chunks[start : start + UPSERT_BATCH]
                self._store.add_texts(
                    [embedded_text(chunk) for chunk in batch], ids=[chunk.chunk_id for chunk in batch]
                )

    def search(self, vector: Sequence[float], k: int) -> list[tuple[str, float]]:
        """The `k` nearest chunks as (chunk id, cosine), best first."""
        with self._chroma_errors():
            found = self._store.similarity_search_by_vector_with_relevance_scores(list(vector), k=k)
        return [(str(document.id), 1 - distance) for document, distance in found]

    def present(self, ids: Sequence[str]) -> list[str]:
        """Which of these chunks are stored."""
        with self._chroma_errors():
            return list(self._store.get(ids=list(ids), include=[])["ids"])

    def every_id(self) -> list[str]:
        """The ids of all stored chunks."""
        with self._chroma_errors():
            return list(self._store.get(include=[])["ids"])

    def forget(self, ids: Sequence[str]) -> None:
        """Delete chunks; deleting what is not there changes nothing."""
        with self._chroma_errors():
            for start in range(0, len(ids), UPSERT_BATCH):
                self._store.delete(ids=list(ids[start : start + UPSERT_BATCH]))

    def drop(self) -> None:
        """Delete the whole collection."""
        with self._chroma_errors():
            self._store.delete_collection()

    @contextmanager
    def _chroma_errors(self) -> Iterator[None]:
        try:
            yield
        except NotFoundError as error:
            self.__dict__.pop("_store", None)  # somebody dropped the collection; the next call makes it anew
            raise SearchUnavailable(f"The collection '{self.collection}' was dropped; please try again.") from error
        except (ChromaError, httpx.HTTPError, ValueError) as error:
            raise SearchUnavailable(
                f"The search index at {self.url} does not answer; `frontdesk status` shows whether it is up."
            ) from error


def embedded_text(chunk: Chunk) -> str:
    """What is embedded for a chunk: where it stands, then what it says."""
    return f"{chunk.heading}\n{chunk.text}" if chunk.heading else chunk.text
