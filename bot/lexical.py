"""The lexical leg: BM25 over FTS5 on SQLite, `ts_rank_cd` over a tsvector on PostgreSQL, in the records database.

It searches only active versions, because it stands in the same database as the ledger.
"""

import functools
import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import snowballstemmer
import sqlalchemy as sa

from bot import db

# BM25 weights of the columns (title and heading, text): a word in the heading says more about the chunk.
_ANSWERS = """
    substr(documents.path, 1, :length) = :folder
    AND (documents.valid_from IS NULL OR documents.valid_from <= {now})
    AND (documents.valid_until IS NULL OR documents.valid_until > {now})
"""
SQLITE_SEARCH = f"""
SELECT chunks.chunk_id, -bm25(chunk_words, 2, 1) AS score
FROM chunk_words
JOIN chunks ON chunks.number = chunk_words.rowid
JOIN documents ON documents.active_version_id = chunks.version_id
WHERE chunk_words MATCH :words AND {_ANSWERS.format(now="((julianday('now') - 2440587.5) * 86400.0)")}
ORDER BY score DESC LIMIT :k
"""
POSTGRESQL_SEARCH = f"""
SELECT chunks.chunk_id, ts_rank_cd(chunks.words, query, 1) AS score
FROM chunks
JOIN documents ON documents.active_version_id = chunks.version_id,
to_tsquery('english', :words) query
WHERE chunks.words @@ query AND {_ANSWERS.format(now="extract(epoch from clock_timestamp())")}
ORDER BY score DESC LIMIT :k
"""
SQLITE_PLACES = """
SELECT chunks.title, chunks.heading FROM chunk_words
JOIN chunks ON chunks.number = chunk_words.rowid
JOIN documents ON documents.active_version_id = chunks.version_id
WHERE chunk_words MATCH :words ORDER BY bm25(chunk_words, 1, 0) LIMIT :k
"""
POSTGRESQL_PLACES = """
SELECT chunks.title, chunks.heading FROM chunks
JOIN documents ON documents.active_version_id = chunks.version_id,
to_tsquery('english', :words) query
WHERE chunks.words @@ query ORDER BY ts_rank_cd(chunks.words, query) DESC LIMIT :k
"""
# How a query's words are looked for: any of them; two that follow each other; two content words that stand together.
Form = Literal["words", "phrases", "pairs"]
APART = 3  # so many words may stand between the two of a pair
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
        if chosen := [{"version_id": version_id} for version_id in version_ids]:
            connection.execute(insert, chosen)


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


def search(
    engine: sa.Engine, query: str, k: int, collection: str = "", form: Form = "words"
) -> list[tuple[str, float]]:
    """The `k` best chunks of active versions that are valid today as (chunk id, score), best first; any of the words
    may match, or, in another form, any two of them as they follow each other.

    `collection` limits the search to a folder of the inbox.
    """
    with db.reading(engine) as connection:
        return hits(connection, query, k, collection, form)


def hits(connection: sa.Connection, query: str, k: int, collection: str, form: Form) -> list[tuple[str, float]]:
    """`search` in a transaction that is open already: each new one may wait for a writer's commit."""
    folder = f"{collection.strip('/')}/" if collection else ""
    on_sqlite = connection.dialect.name == "sqlite"
    match = _match(query, form, on_sqlite)
    if not match:
        return []
    statement = sa.text(SQLITE_SEARCH if on_sqlite else POSTGRESQL_SEARCH)
    found = connection.execute(statement, {"words": match, "folder": folder, "length": len(folder), "k": k})
    return [(row.chunk_id, row.score) for row in found]


def _match(query: str, form: Form, on_sqlite: bool) -> str:
    """A query in the language of FTS5 or of `to_tsquery`; empty where it has no words to look for."""
    if form == "words":
        terms = list(dict.fromkeys(content_words(query) or words(query)))
        return " OR ".join(f'"{term}"' for term in terms) if on_sqlite else " | ".join(terms)
    said = words(query) if form == "phrases" else content_words(query)
    pairs = dict.fromkeys(pair for pair in pairwise(said) if not set(pair) <= STOPWORDS)
    if form == "phrases":
        return (
            " OR ".join(f'"{a} {b}"' for a, b in pairs) if on_sqlite else " | ".join(f"({a} <-> {b})" for a, b in pairs)
        )
    if on_sqlite:
        return " OR ".join(f'NEAR("{a}" "{b}", {APART})' for a, b in pairs)
    return " | ".join(f"({a} <{step}> {b})" for a, b in pairs for step in range(1, APART + 2))


def places(engine: sa.Engine, text: str, k: int) -> list[tuple[str, str]]:
    """The `k` places in the documents, as (title, heading), that share the most words with a text."""
    terms = list(dict.fromkeys(content_words(text)))
    if not terms:
        return []
    with db.reading(engine) as connection:
        if connection.dialect.name == "sqlite":
            together = " OR ".join(filter(None, [_match(text, "phrases", True), *(f'"{term}"' for term in terms)]))
            statement, match = SQLITE_PLACES, f"heading : ({together})"
        else:
            statement, match = POSTGRESQL_PLACES, " | ".join(f"{term}:A" for term in terms)
        found = connection.execute(sa.text(statement), {"words": match, "k": k})
        return list(dict.fromkeys((row.title, row.heading) for row in found))


def frequencies(engine: sa.Engine, terms: Sequence[str], *, in_places: bool = False) -> tuple[dict[str, int], int]:
    """In how many chunks each term stands, and how many chunks there are; with `in_places`, only titles and headings
    count."""
    with db.reading(engine) as connection:
        return _frequencies(connection, terms, in_places)


def _frequencies(connection: sa.Connection, terms: Sequence[str], in_places: bool) -> tuple[dict[str, int], int]:
    total = connection.execute(sa.select(sa.func.count()).select_from(db.chunks)).scalar_one()
    if connection.dialect.name == "sqlite":
        form = 'heading : "{}"' if in_places else '"{}"'
        count = sa.text("SELECT count(*) FROM chunk_words WHERE chunk_words MATCH :word")
    else:
        form = "{}:A" if in_places else "{}"
        count = sa.text("SELECT count(*) FROM chunks WHERE words @@ to_tsquery('english', :word)")
    return {term: connection.execute(count, {"word": form.format(term)}).scalar_one() for term in terms}, total


def coverage(connection: sa.Connection, query: str, chunk_id: str) -> float:
    """How much of what a query says stands in a chunk, 0..1: its content words, the rarer the weightier."""
    terms = list(dict.fromkeys(content_words(query) or words(query)))
    chosen = sa.select(db.chunks.c.title, db.chunks.c.heading, db.chunks.c.text).where(db.chunks.c.chunk_id == chunk_id)
    chunk = connection.execute(chosen).first()
    if chunk is None or not terms:
        return 0.0
    there = set(stems(" ".join(chunk))) if content_words(query) else set(map(stem, words(" ".join(chunk))))
    found, total = _frequencies(connection, terms, in_places=False)
    says = {term: math.log((total + 1) / (found[term] + 0.5)) for term in terms}
    whole = sum(says.values())
    return sum(weight for term, weight in says.items() if stem(term) in there) / whole if whole > 0 else 0.0
