"""Questions without an answer are asked again when a document comes that may answer them, or when a person wants it.

One job at a time does it, however many schedules ask for it.
"""

import sqlalchemy as sa

from bot import consult, db, evidence, gaps, jobs, retrieve, vectors
from bot.desk import Desk
from bot.gaps import Gap

MOST_SEARCHED = 50  # gaps that one run searches for, and of those
MOST_ASKED = 10  # so many that it asks the model
JOB = "gaps"
EMBEDDED = (db.gaps, db.pinned_answers)


def request(engine: sa.Engine, embedding_model: str) -> list[str]:
    """Queue a run where there is something to do and none is under way; return the lanes to ring for."""
    if not due(engine, 1) and not any(vectors.outdated(engine, table, embedding_model) for table in EMBEDDED):
        return []
    under_way = db.jobs.c.state.in_(("queued", "running"))
    query = sa.select(db.jobs.c.job_id).where(db.jobs.c.kind == JOB, under_way)
    with db.writing(engine) as connection:
        if connection.execute(query).first():
            return []
        jobs.enqueue(connection, JOB, JOB, jobs.BULK)
    return [jobs.BULK]


def due(engine: sa.Engine, most: int = MOST_SEARCHED) -> list[Gap]:
    """The open gaps that a person wants asked again, and those about whose folder a document has come to answer since
    they were last tried, the longest waiting first."""
    open_ones = gaps.waiting(engine)
    latest = _latest(engine, min((gap.tried_at for gap in open_ones if gap.tried_at is not None), default=0.0))
    return [gap for gap in open_ones if gap.tried_at is None or latest.get(gap.collection, 0.0) > gap.tried_at][:most]


def run(desk: Desk) -> list[Gap]:
    """Ask due gaps again, at most `MOST_ASKED` of them; return those that are closed now. What was embedded by another
    model is embedded again first.

    What no new document is near to, or none seems to answer, is not put to the model. Two runs at once close each gap
    once. Raises `ModelUnavailable` or `SearchUnavailable`; what was not tried by then stays due.
    """
    for table in EMBEDDED:
        vectors.renew(desk.database, table, desk.embeddings, desk.embedding_model)
    closed, asked = [], 0
    for gap in due(desk.database):
        if asked == MOST_ASKED:
            break
        begun = _moment(desk.database)
        if _may_be_answered(desk, gap):
            asked += 1
            closed += [gap] if _answered(desk, gap) else []
        gaps.tried(desk.database, gap, begun)
    return closed


def _may_be_answered(desk: Desk, gap: Gap) -> bool:
    """Whether it is worth the model's time: what a person wants asked is; else the search must bring up a new document
    and enough evidence."""
    if gap.tried_at is None:
        return True
    settings = desk.settings
    found = retrieve.search(desk, gap.question, settings.passages, gap.history, collection=gap.collection, copies=False)
    here = db.versions.c.version_id.in_({passage.version_id for passage in found})
    if db.one(desk.database, _fresh(gap.tried_at).where(here)) is None:
        return False
    meant = retrieve.standalone(gap.question, gap.history, desk, gap.collection)
    return evidence.weigh(desk, meant, found).score >= consult.threshold(desk)


def _answered(desk: Desk, gap: Gap) -> bool:
    """Ask, and close the gap by the newest of the documents that the answer cites, if there is an answer."""
    answer = consult.ask(desk, gap.question, gap.history, collection=gap.collection)
    if answer.abstained or not answer.citations:
        return False
    query = (
        sa.select(db.documents.c.path)
        .join(db.versions, db.versions.c.document_id == db.documents.c.document_id)
        .where(db.versions.c.version_id.in_({citation.version_id for citation in answer.citations}))
        .order_by(db.versions.c.indexed_at.desc())
    )
    row = db.one(desk.database, query)
    document = row.path if row else answer.citations[0].document
    return gaps.close_with(desk.database, gap, document, answer.answer_id)


def _fresh(since: float) -> sa.Select[tuple[int, str, float]]:
    """The versions that have begun to answer since a moment, being newly indexed or valid from a day that has come:
    (version_id, path, moment)."""
    document, version = db.documents.c, db.versions.c
    when = sa.case((document.valid_from > version.indexed_at, document.valid_from), else_=version.indexed_at)
    query = sa.select(version.version_id, document.path, when.label("moment"))
    query = query.join(db.documents, document.active_version_id == version.version_id)
    return query.where(when > since, when <= db.now())


def _latest(engine: sa.Engine, since: float) -> dict[str, float]:
    """When the last document began to answer, by folder, for folders in which one has since a moment."""
    latest: dict[str, float] = {}
    for row in db.rows(engine, _fresh(since)):
        parts = row.path.split("/")
        for depth in range(len(parts)):
            folder = "/".join(parts[:depth])
            latest[folder] = max(latest.get(folder, 0.0), row.moment)
    return latest


def _moment(engine: sa.Engine) -> float:
    with db.reading(engine) as connection:
        return connection.execute(sa.select(db.now())).scalar_one()
