"""What customers asked and the documents do not say: kept, put together where it is the same, and closed by the
document that answers it, or by a person. `bot.retries` asks again."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from bot import conversations, db, vectors
from bot.errors import NotAllowed
from bot.records import Answer, Nearby, Turn

MOST_CLUSTERED = 1_000  # the newest; the time and memory of clustering grow with their square
# The mean cosine distance up to which two groups of questions are one gap. Adjusted Rand index at .35, .4 and .45 on
# banking77 .40 .47 .55, clinc150 .47 .57 .61, the sample's questions and paraphrases .72 .81 .73.
SAME_GAP = 0.4


@dataclass(frozen=True)
class Gap:
    """One question that got no answer. `tried_at` is when the documents were last searched for it, in seconds since
    1970; None asks for it to be done again. It is closed by the path of the document that answers it now, which
    `closing_answer_id` cites, or by the name of a person who said that it is none of our business."""

    gap_id: int
    answer_id: str
    question: str
    history: tuple[Turn, ...]
    collection: str
    created_at: datetime
    tried_at: float | None
    closed_at: datetime | None
    closed_by: str
    closing_answer_id: str | None


@dataclass(frozen=True)
class Cluster:
    """Open gaps that ask the same: `question` is the most typical one, `owner` empty where nobody is named, `nearby`
    the documents that come closest. It `waits` while all of it is about to be asked again."""

    question: str
    questions: tuple[str, ...]
    gap_ids: tuple[int, ...]
    count: int
    collection: str
    owner: str
    nearby: tuple[Nearby, ...]
    first_asked: datetime
    last_asked: datetime
    waits: bool


def record(
    engine: sa.Engine,
    answer: Answer,
    vector: Sequence[float],
    embedding_model: str,
    collection: str = "",
    history: Sequence[Turn] = (),
) -> None:
    """Keep a question that got no answer, once. `vector` is its unit vector by `embedding_model`, in its context."""
    row: dict[str, Any] = {"answer_id": answer.answer_id, "question": answer.question, "collection": collection}
    row |= {"history": [asdict(turn) for turn in history]}
    row |= {"vector": vectors.stored(vector), "embedding_model": embedding_model}
    tried_at = db.now() - answer.timings_ms.total / 1000  # what has come since the question may answer it
    known = sa.select(db.gaps.c.gap_id).where(db.gaps.c.answer_id == answer.answer_id)
    with db.writing(engine) as connection:
        if connection.execute(known).first() is None:
            connection.execute(sa.insert(db.gaps).values(**row, created_at=db.now(), tried_at=tried_at))


def clusters(engine: sa.Engine) -> list[Cluster]:
    """The open gaps, the most asked first. Only questions about the same folder are put together."""
    table = db.gaps.c
    open_ones = sa.select(db.gaps).where(table.closed_at.is_(None)).order_by(table.gap_id.desc()).limit(MOST_CLUSTERED)
    groups: dict[tuple[str, str], list[db.Row]] = {}
    for row in db.rows(engine, open_ones):
        groups.setdefault((row.collection, row.embedding_model), []).append(row)
    found = [_cluster(engine, rows) for group in groups.values() for rows in _alike(group)]
    return sorted(found, key=lambda one: (-one.count, -one.last_asked.timestamp()))


def closed(engine: sa.Engine, most: int = 50) -> list[Gap]:
    """The gaps that are closed, the last closed first."""
    table = db.gaps.c
    query = sa.select(db.gaps).where(table.closed_at.is_not(None)).order_by(table.closed_at.desc()).limit(most)
    return [_gap(row) for row in db.rows(engine, query)]


def count_open(engine: sa.Engine) -> int:
    """How many questions without an answer are open."""
    query = sa.select(sa.func.count().label("number")).where(db.gaps.c.closed_at.is_(None))
    row = db.one(engine, query)
    return int(row.number) if row else 0


def close(engine: sa.Engine, gap_ids: Collection[int], by: str) -> None:
    """Close gaps that no document of ours is to answer."""
    _update_open(engine, gap_ids, closed_at=db.now(), closed_by=by)


def ask_again(engine: sa.Engine, gap_ids: Collection[int]) -> None:
    """Let the next run (`bot.retries`) ask these again, whether or not there is a new document."""
    _update_open(engine, gap_ids, tried_at=None)


def waiting(engine: sa.Engine) -> list[Gap]:
    """The open gaps in the order in which they should be asked again: those that a person wants asked first."""
    table = db.gaps.c
    query = sa.select(db.gaps).where(table.closed_at.is_(None))
    order = query.order_by(table.tried_at.is_not(None), table.tried_at, table.gap_id)
    return [_gap(row) for row in db.rows(engine, order)]


def tried(engine: sa.Engine, gap: Gap, at: float) -> None:
    """Note that the documents of a moment (seconds since 1970) were searched for it."""
    _update_open(engine, [gap.gap_id], tried_at=at)


def close_with(engine: sa.Engine, gap: Gap, document: str, answer_id: str) -> bool:
    """Close a gap by the path of the document that answers it now; False where it was closed already."""
    closing = {"closed_by": document, "closing_answer_id": answer_id}
    return _update_open(engine, [gap.gap_id], closed_at=db.now(), **closing) == 1


def _update_open(engine: sa.Engine, gap_ids: Collection[int], **values: Any) -> int:
    chosen = db.gaps.c.gap_id.in_(list(gap_ids)) & db.gaps.c.closed_at.is_(None)
    with db.writing(engine) as connection:
        return int(connection.execute(sa.update(db.gaps).where(chosen).values(**values)).rowcount)


def _alike(rows: list[db.Row]) -> list[list[db.Row]]:
    """Put questions together by the cosine of their vectors (average linkage); the most typical one comes first."""
    if len(rows) == 1:
        return [rows]
    from scipy.cluster import hierarchy  # a quarter of a second that only this page needs

    points = vectors.matrix(rows)
    tree = hierarchy.linkage(points, method="average", metric="cosine")
    groups: dict[int, list[int]] = {}
    for place, name in enumerate(hierarchy.fcluster(tree, SAME_GAP, criterion="distance")):
        groups.setdefault(int(name), []).append(place)
    return [_typical_first(rows, points, places) for places in groups.values()]


def _typical_first(rows: list[db.Row], points: np.ndarray, places: list[int]) -> list[db.Row]:
    """Some of the rows, the nearest to their common middle first."""
    nearness = points[places] @ points[places].mean(axis=0)
    return [rows[places[one]] for one in np.argsort(-nearness, kind="stable")]


def _cluster(engine: sa.Engine, rows: list[db.Row]) -> Cluster:
    asked = sorted(row.created_at for row in rows)
    nearby = _nearby(engine, rows[0].answer_id)
    return Cluster(
        question=rows[0].question,
        questions=tuple(dict.fromkeys(row.question for row in rows)),
        gap_ids=tuple(row.gap_id for row in rows),
        count=len(rows),
        collection=rows[0].collection,
        owner=_owner(engine, rows[0].collection, nearby),
        nearby=nearby,
        first_asked=datetime.fromtimestamp(asked[0], UTC),
        last_asked=datetime.fromtimestamp(asked[-1], UTC),
        waits=all(row.tried_at is None for row in rows),
    )


def _nearby(engine: sa.Engine, answer_id: str) -> tuple[Nearby, ...]:
    try:
        return conversations.answer(engine, answer_id).nearby
    except NotAllowed:
        return ()


def _owner(engine: sa.Engine, collection: str, nearby: Sequence[Nearby]) -> str:
    """Who is named most as the owner of the folder's documents; where nobody is, of the nearest documents."""
    document = db.documents.c
    named = sa.select(document.path, document.owner).where(~document.removed, document.owner != "")
    if collection:
        rows = db.rows(engine, named.where(document.path.startswith(f"{collection}/", autoescape=True)))
        if rows:
            return Counter(str(row.owner) for row in rows).most_common(1)[0][0]
    rows = db.rows(engine, named.where(document.path.in_([one.document for one in nearby])))
    return Counter(str(row.owner) for row in rows).most_common(1)[0][0] if rows else ""


def _gap(row: db.Row) -> Gap:
    return Gap(
        gap_id=row.gap_id,
        answer_id=row.answer_id,
        question=row.question,
        history=tuple(Turn(**turn) for turn in row.history),
        collection=row.collection,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        tried_at=row.tried_at,
        closed_at=None if row.closed_at is None else datetime.fromtimestamp(row.closed_at, UTC),
        closed_by=row.closed_by,
        closing_answer_id=row.closing_answer_id,
    )
