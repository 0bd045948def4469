"""What a piece of feedback looks like at first sight, by simple rules, and where an error goes: a wrong fact to the
document's owner, what is missing to the gaps, style to the training. The reviewer decides; nothing goes by itself."""

import re
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from bot import conversations, db, feedback, gaps, ground, replay, sentences
from bot.desk import Desk
from bot.errors import NotAllowed
from bot.records import Feedback

Kind = Literal["approve", "style", "wrong fact", "missing"]

# What customers write, by the kind of error that it points to.
_SAID: dict[Kind, re.Pattern[str]] = {
    "wrong fact": re.compile(
        r"\b(wrong|incorrect|not true|untrue|outdated|out of date|no longer|false)\b", re.IGNORECASE
    ),
    "missing": re.compile(
        r"\b(missing|not answer\w*|does ?n[o']t answer|did ?n[o']t answer|incomplete|no answer)\b", re.I
    ),
    "style": re.compile(r"\b(tone|rude|cold|stiff|dry|formal|long|short|brief|wordy|friendl\w+)\b", re.IGNORECASE),
}
_REASONS: dict[str, Kind] = {
    "Wrong": "wrong fact",
    "Too long": "style",
    "Wrong tone": "style",
    "Not helpful": "missing",
}


@dataclass(frozen=True)
class Suggestion:
    """What a reviewer might do with a row, and why."""

    kind: Kind
    reason: str


def suggest(item: Feedback) -> Suggestion:
    """The first rule that fits: a happy customer, an answer without a source, what no passage says, what was said."""
    unsupported = ground.unsupported(item.answer, item.evidence)
    if item.rating and not unsupported:
        return Suggestion("approve", "The customer liked it, and the passages say all of it.")
    if not sentences.markers(item.answer):
        return Suggestion("missing", "The answer cites nothing, so the documents may not say it.")
    if unsupported:
        return Suggestion("wrong fact", f"No passage says this: “{sentences.without_markers(unsupported[0])}”")
    if item.reason in _REASONS and item.reason != "Not helpful":
        return Suggestion(_REASONS[item.reason], f"The customer chose “{item.reason}”.")
    for kind, words in _SAID.items():
        if found := words.search(item.comment):
            return Suggestion(kind, f"The customer wrote “{found[0]}”.")
    if item.reason in _REASONS:
        return Suggestion(_REASONS[item.reason], f"The customer chose “{item.reason}”.")
    return Suggestion("style", "The passages say all of it, so what is left is how it was said.")


def report_wrong(engine: sa.Engine, item: Feedback, reviewer: str, note: str = "") -> str:
    """Reject a row because of a wrong fact, and tell the owner of the document; return their name, empty where nobody
    is named."""
    owner = owner_of(engine, item)
    feedback.reject(engine, item.feedback_id, reviewer, note, "wrong fact", owner)
    return owner


def report_missing(desk: Desk, item: Feedback, reviewer: str, note: str = "") -> None:
    """Reject a row because the documents lack what was asked, and put the question among the gaps. Raises
    `ModelUnavailable` where it cannot be embedded."""
    try:
        given = conversations.answer(desk.database, item.answer_id)
    except NotAllowed:  # the sample company's rows belong to no conversation
        given = None
    if given:
        history = replay.heard_before(desk.database, item.answer_id)
        vector = desk.embeddings.embed_query(item.question)
        collection = str(given.parameters.get("collection", ""))
        gaps.record(desk.database, given, vector, desk.embedding_model, collection, history)
    feedback.reject(desk.database, item.feedback_id, reviewer, note, "missing")


def owner_of(engine: sa.Engine, item: Feedback) -> str:
    """Who is named as the owner of the documents that an answer stands on, the first one cited first."""
    paths = documents_of(engine, item)
    query = sa.select(db.documents.c.path, db.documents.c.owner).where(db.documents.c.path.in_(paths))
    owners = {row.path: str(row.owner) for row in db.rows(engine, query)}
    return next((owners[path] for path in paths if owners.get(path)), "")


def documents_of(engine: sa.Engine, item: Feedback) -> list[str]:
    """The paths of the documents that an answer cites; where that is not known, of those that were found for it."""
    try:
        cited = [citation.document for citation in conversations.answer(engine, item.answer_id).citations]
    except NotAllowed:
        cited = []
    return list(dict.fromkeys(cited or [passage.document for passage in item.evidence]))
