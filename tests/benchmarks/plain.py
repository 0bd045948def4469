"""The plain LangChain recipe as its documentation shows it, for comparison: load, split, embed, store.

It has the same embedding model, loaded already, and the same kind of Chroma server as Frontdesk; it is spared a
ledger, a sandbox, a lexical index, versions and crash safety. `bench` is the group of dependencies that it needs.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from langchain_chroma import Chroma
from langchain_community.document_loaders import DirectoryLoader, TextLoader
from langchain_core.embeddings import Embeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter
from sentence_transformers import SentenceTransformer

from bot.quality.ranking import DEPTH, ndcg
from bot.records import Question

COLLECTION = "plain-recipe"
SERVER_BATCH = 5_000  # Chroma refuses more in one request


class MiniLM(Embeddings):
    """sentence-transformers in fp32 behind LangChain's interface."""

    def __init__(self, folder: Path) -> None:
        self.model = SentenceTransformer(str(folder))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""
        vectors: list[list[float]] = self.model.encode(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        return self.embed_documents([text])[0]


@contextmanager
def store(chroma_url: str, embeddings: Embeddings) -> Iterator[Chroma]:
    """An empty collection on a Chroma server, gone afterwards."""
    place = urlsplit(chroma_url)
    collection = Chroma(
        COLLECTION,
        embeddings,
        host=place.hostname,
        port=place.port,
        collection_configuration={"hnsw": {"space": "cosine"}},
    )
    try:
        yield collection
    finally:
        collection.delete_collection()


def ingest(folder: Path, collection: Chroma) -> tuple[int, float]:
    """Index every Markdown file of a folder; (chunks, seconds from the files to the last vector stored)."""
    begun = time.perf_counter()
    documents = DirectoryLoader(str(folder), glob="**/*.md", loader_cls=TextLoader).load()
    pieces = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200).split_documents(documents)
    for start in range(0, len(pieces), SERVER_BATCH):
        collection.add_documents(pieces[start : start + SERVER_BATCH])
    return len(pieces), time.perf_counter() - begun


def ndcg_at_10(collection: Chroma, folder: Path, questions: Sequence[Question]) -> float:
    """The recipe's own search, judged as `bot.quality.ranking` judges ours: documents by their best chunk."""
    gains = []
    for question in questions:
        found = collection.similarity_search(question.text, k=DEPTH)
        ranked = dict.fromkeys(Path(one.metadata["source"]).relative_to(folder).as_posix() for one in found)
        gains.append(ndcg([path in question.documents for path in ranked], len(question.documents), 10))
    return sum(gains) / len(gains)
