"""The lexical leg: BM25 over FTS5 on SQLite, `ts_rank_cd` over a tsvector on PostgreSQL, in the records database.

It searches only active versions, because it stands in the same database as the ledger.
"""

import functools
import re
from collections.abc import Iterable, Sequence

import snowballstemmer
import sqlalchemy as sa

from bot import db

# BM25 weights of the columns (heading, text): a word in the heading says more about the chunk.
SQLITE_SEARCH = """
SELECT chunks.chunk_id, -bm25(chunk_words, 2, 1) AS score
FROM chunk_words
JOIN chunks ON chunks.number = chunk_words.rowid
JOIN documents ON documents.active_version_id = chunks.version_id
WHERE chunk_words MATCH :words AND substr(documents.path, 1, :length) = :folder
ORDER BY score DESC LIMIT :k
"""
POSTGRESQL_SEARCH = """
SELECT chunks.chunk_id, ts_rank_cd(chunks.words, query, 1) AS score
FROM chunks
JOIN documents ON documents.active_version_id = chunks.version_id,
to_tsquery('english', :words) query
WHERE chunks.words @@ query AND substr(documents.path, 1, :length) = :folder
ORDER BY score DESC LIMIT :k
"""
# Words that say nothing of what a question is about; BM25 gives them little weight, leaving them out saves time.
STOPWORDS = frozenset(
    """
    a about also am an and any are aren as at be been being by can could couldn d did didn do does doesn don for from
    had hadn has hasn have haven he her his how i if in into is isn it its just ll m me my of on or our re s she should
    shouldn so some t than that the their them then there these they this to too ve very was wasn we were weren what
    when where which who whom why will with would wouldn you your
    """.split()
)

_stemmer = snowballstemmer.stemmer("english")


def words(text: str) -> list[str]:
    """The words of a text in lower case, numbers included."""
    return re.findall(r"[^\W_]+", text.lower())


def stems(text: str) -> list[str]:
    """The stems of the content words (Porter 2, Snowball), so that "returned" meets "returns"."""
    return [stem(word) for word in content_words(text)]


@functools.cache
def stem(word: str) -> str:
    """The stem of one word."""
    return str(_stemmer.stemWord(word))


def content_words(text: str) -> list[str]:
    """The words that carry meaning."""
    return [word for word in words(text) if word not in STOPWORDS]


def index(connection: sa.Connection, version_ids: Iterable[int]) -> None:
    """Make versions' chunks findable by their words. PostgreSQL does it by itself, from the chunk table."""
    if connection.dialect.name == "sqlite":
        copy = "SELECT number, trim(title || ' ' || heading), text FROM chunks WHERE version_id = :version_id"
        insert = sa.text(f"INSERT OR REPLACE INTO chunk_words (rowid, heading, text) {copy}")
        for version_id in version_ids:
            connection.execute(insert, {"version_id": version_id})


def forget(connection: sa.Connection, version_id: int) -> None:
    """Delete a version's chunks from the index; to be called before they leave the chunk table."""
    if connection.dialect.name == "sqlite":
        numbers = "SELECT number FROM chunks WHERE version_id = :version_id"
        delete = sa.text(f"DELETE FROM chunk_words WHERE rowid IN ({numbers})")
        connection.execute(delete, {"version_id": version_id})


def missing(engine: sa.Engine) -> set[str]:
    """The chunks that are not in the index. On PostgreSQL the index is a column of the chunk table itself."""
    if engine.dialect.name != "sqlite":
        return set()
    query = "SELECT chunk_id FROM chunks WHERE number NOT IN (SELECT rowid FROM chunk_words)"
    with db.reading(engine) as connection:
        return {row.chunk_id for row in connection.execute(sa.text(query))}


def strange(engine: sa.Engine) -> list[int]:
    """The numbers in the index that no chunk has."""
    if engine.dialect.name != "sqlite":
        return []
    query = "SELECT rowid FROM chunk_words WHERE rowid NOT IN (SELECT number FROM chunks)"
    with db.reading(engine) as connection:
        return [row.rowid for row in connection.execute(sa.text(query))]


def strike(engine: sa.Engine, numbers: Sequence[int]) -> None:
    """Delete what the index holds under these numbers."""
    if numbers:
        with db.writing(engine) as connection:
            connection.execute(
                sa.text("DELETE FROM chunk_words WHERE rowid = :number"), [{"number": n} for n in numbers]
            )


def search(engine: sa.Engine, query: str, k: int, collection: str = "") -> list[tuple[str, float]]:
    """The `k` best chunks of active versions as (chunk id, score), best first; any of the words may match.

    `collection` limits the search to a folder of the inbox.
    """
    terms = list(dict.fromkeys(content_words(query) or words(query)))
    if not terms:
        return []
    folder = f"{collection.strip('/')}/" if collection else ""
    chosen = {"folder": folder, "length": len(folder), "k": k}
    with db.reading(engine) as connection:
        if connection.dialect.name == "sqlite":
            statement, match = SQLITE_SEARCH, " OR ".join(f'"{term}"' for term in terms)
        else:
            statement, match = POSTGRESQL_SEARCH, " | ".join(terms)
        found = connection.execute(sa.text(statement), {"words": match, **chosen})
        return [(row.chunk_id, row.score) for row in found]


def frequencies(engine: sa.Engine, terms: Sequence[str]) -> tuple[dict[str, int], int]:
    """In how many chunks each term stands, and how many chunks there are."""
    with db.reading(engine) as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(db.chunks)).scalar_one()
        if connection.dialect.name == "sqlite":
            count = sa.text("SELECT count(*) FROM chunk_words WHERE chunk_words MATCH :word")
            found = {term: connection.execute(count, {"word": f'"{term}"'}).scalar_one() for term in terms}
        else:
            count = sa.text("SELECT count(*) FROM chunks WHERE words @@ plainto_tsquery('english', :word)")
            found = {term: connection.execute(count, {"word": term}).scalar_one() for term in terms}
    return found, total
