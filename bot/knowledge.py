"""The dense leg: vectors in Chroma, and the only importer of chromadb. It knows chunk ids, versions and cosines, not
which version of a document is active; that is the ledger's to say."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import chromadb
import httpx
from chromadb.api import ClientAPI
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError, NotFoundError
from langchain_core.embeddings import Embeddings

from bot.errors import SearchUnavailable
from bot.records import Chunk, Index

UPSERT_BATCH = 100  # what Chroma takes at once without slowing down
PAGE = 5_000
TIMEOUT_SECONDS = 30.0
LONGEST_PLACE = 240  # characters: headings without end must not push the text out of the model's window

Vectors = list[list[float]]


class Knowledge:
    """One collection of a Chroma server, and the embedding model that its vectors were made with."""

    def __init__(self, url: str, collection: str, embeddings: Embeddings) -> None:
        self.url = url
        self.collection = collection
        self.embeddings = embeddings

    @cached_property
    def _client(self) -> ClientAPI:
        place = urlsplit(self.url)
        client = chromadb.HttpClient(
            host=place.hostname or "127.0.0.1",
            port=place.port or 8000,
            ssl=place.scheme == "https",
            settings=ChromaSettings(anonymized_telemetry=False),
        )
        server: Any = client._server  # type: ignore[attr-defined]  # its session waits for ever, and no setting says otherwise
        server._session.timeout = TIMEOUT_SECONDS
        return client

    @cached_property
    def _vectors(self) -> chromadb.Collection:
        return self._client.get_or_create_collection(
            self.collection, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )

    def embed(self, chunks: Sequence[Chunk]) -> Vectors:
        """A unit vector for each chunk: of where it stands, then of what it says."""
        return self.embeddings.embed_documents([embedded_text(chunk) for chunk in chunks])

    def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store the chunks' vectors; to store one again changes nothing."""
        with self._chroma_errors():
            for start in range(0, len(chunks), UPSERT_BATCH):
                batch = chunks[start : start + UPSERT_BATCH]
                self._vectors.upsert(
                    ids=[chunk.chunk_id for chunk in batch],
                    embeddings=vectors[start : start + UPSERT_BATCH],  # type: ignore[arg-type]  # lists will do
                    metadatas=[{"version": chunk.version_id} for chunk in batch],
                )

    def nearest(
        self,
        vectors: Vectors,
        k: int,
        versions: Sequence[int] | None = None,
        without: Sequence[int] = (),
    ) -> list[list[tuple[str, float]]]:
        """For each vector the `k` nearest chunks as (chunk id, cosine), best first, in one request; only of some
        `versions` where they are given, and never of those in `without`."""
        if versions is not None:
            versions = sorted(set(versions) - set(without))
            if not versions:
                return [[] for _ in vectors]
        among, outside = {"version": {"$in": versions}}, {"version": {"$nin": list(without)}}
        where: Any = among if versions is not None else outside if without else None
        asked: Any = vectors
        with self._chroma_errors():
            try:
                found = self._vectors.query(query_embeddings=asked, n_results=k, where=where, include=["distances"])
            except NotFoundError:  # it was made anew, by a repair
                self.__dict__.pop("_vectors", None)
                found = self._vectors.query(query_embeddings=asked, n_results=k, where=where, include=["distances"])
        return [
            [(chunk_id, 1 - distance) for chunk_id, distance in zip(ids, distances, strict=True)]
            for ids, distances in zip(found["ids"], found["distances"] or [], strict=True)
        ]

    def searchable(self) -> bool:
        """Whether the collection can be searched: its stored vectors are no use where the index over them is broken.

        Raises `SearchUnavailable` where the server does not answer at all.
        """
        with self._chroma_errors():
            self._client.heartbeat()
        try:
            stored: Any = self._vectors.get(limit=1, include=["embeddings"])["embeddings"]
            if stored is not None and len(stored):
                self._vectors.query(query_embeddings=stored, n_results=1, include=[])
        except (ChromaError, httpx.HTTPError):  # it says so, or breaks down over it
            return False
        return True

    def present(self, ids: Sequence[str]) -> list[str]:
        """Which of these chunks are stored."""
        with self._chroma_errors():
            batches = [list(ids[start : start + PAGE]) for start in range(0, len(ids), PAGE)]
            return [found for batch in batches for found in self._vectors.get(ids=batch, include=[])["ids"]]

    def every_id(self) -> set[str]:
        """The ids of all stored chunks."""
        with self._chroma_errors():
            starts = range(0, self._vectors.count(), PAGE)
            return {one for at in starts for one in self._vectors.get(limit=PAGE, offset=at, include=[])["ids"]}

    def forget(self, ids: Sequence[str]) -> None:
        """Delete chunks; deleting what is not there changes nothing."""
        with self._chroma_errors():
            for start in range(0, len(ids), UPSERT_BATCH):
                self._vectors.delete(ids=list(ids[start : start + UPSERT_BATCH]))

    def drop(self) -> None:
        """Delete the whole collection; it is made anew, empty, when it is next used."""
        with self._chroma_errors():
            self._client.get_or_create_collection(self.collection, embedding_function=None)
            self._client.delete_collection(self.collection)
            self.__dict__.pop("_vectors", None)

    @contextmanager
    def _chroma_errors(self) -> Iterator[None]:
        try:
            yield
        except NotFoundError as error:
            self.__dict__.pop("_vectors", None)  # somebody dropped the collection; the next call makes it anew
            raise SearchUnavailable(f"The collection '{self.collection}' was dropped; please try again.") from error
        except (ChromaError, httpx.HTTPError, ValueError) as error:
            raise SearchUnavailable(
                f"The search index at {self.url} does not answer; `frontdesk status` shows whether it is up."
            ) from error


class Collections:
    """Opens the collections of the indexes, each once, each with the embedding model that it was made with."""

    def __init__(self, url: str, embeddings: Callable[[str], Embeddings]) -> None:
        self._url = url
        self._embeddings = embeddings
        self._open: dict[tuple[str, str], Knowledge] = {}

    def of(self, index: Index) -> Knowledge:
        """The collection of an index."""
        key = (index.collection, index.embedding_model)
        if key not in self._open:
            self._open[key] = Knowledge(self._url, index.collection, self._embeddings(index.embedding_model))
        return self._open[key]


def embedded_text(chunk: Chunk) -> str:
    """What is embedded for a chunk: where it stands, by title and headings, then what it says."""
    place = " > ".join(part for part in (chunk.title, chunk.heading) if part)
    return f"{place[:LONGEST_PLACE]}\n{chunk.text}" if place else chunk.text
