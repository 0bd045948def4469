"""Who speaks in a conversation: the version pinned to its folder, the canary for a share of the conversations, else the
active one. A conversation keeps its voice: whether it hears the canary is decided by a hash of its id."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from bot import adapters, db, preferences
from bot.errors import AdapterRefused
from bot.records import Adapter

CANARY_SHARE = 0.2  # where nothing was set
# A canary is judged by what customers say and what it withholds. With fewer conversations in two weeks than this in its
# share, there is too little to judge by, and a version that passed the gate speaks to everybody at once.
LEAST_CONVERSATIONS = 20
TRAFFIC_DAYS = 14


@dataclass(frozen=True)
class PinnedVoice:
    """A folder whose questions one version answers (`adapter` is empty for the base model)."""

    collection: str
    adapter: str
    author: str
    created_at: datetime


def speaking(engine: sa.Engine, conversation_id: str | None = None, collection: str = "") -> Adapter | None:
    """The version that answers in this conversation, about this folder; None is the base model."""
    own = of_folder(pinned(engine), collection) if collection else None
    if own is not None:
        return adapters.find(engine, own) if own else None
    trial = adapters.canary(engine) if conversation_id else None
    if trial and conversation_id and hears(trial.name, conversation_id, share(engine)):
        return trial
    return adapters.active(engine)


def hears(canary: str, conversation_id: str, of_all: float) -> bool:
    """Whether a conversation is among the share (0..1) that hears a canary. A larger share keeps the smaller one's;
    another canary has others."""
    drawn = hashlib.sha256(f"{canary}:{conversation_id}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") / 2**64 < of_all


def share(engine: sa.Engine) -> float:
    """The share (0..1) of conversations that hear a canary; 0 lets versions speak to everybody at once."""
    return float(preferences.get(engine, preferences.CANARY_SHARE, CANARY_SHARE))


def may_judge(engine: sa.Engine) -> bool:
    """Whether there are conversations enough to judge a canary by."""
    since = db.now() - TRAFFIC_DAYS * 86_400
    recent = sa.select(sa.func.count().label("number")).select_from(db.conversations)
    row = db.one(engine, recent.where(db.conversations.c.created_at > since))
    return row is not None and row.number * share(engine) >= LEAST_CONVERSATIONS


def pin(engine: sa.Engine, collection: str, name: str, author: str) -> None:
    """Let one version ("" for the base model) answer what is asked about a folder. Raises `AdapterRefused` where it may
    not speak."""
    chosen = adapters.find(engine, name) if name else None
    if not collection:
        raise AdapterRefused("A version is pinned to a folder of the inbox; for all questions, promote it instead.")
    if chosen and (chosen.stale or chosen.state == "rejected"):
        raise AdapterRefused(f"{chosen.name} may not speak. {chosen.stale or 'It did not pass its checks.'}")
    with db.writing(engine) as connection:
        connection.execute(sa.delete(db.pinned_voices).where(db.pinned_voices.c.collection == collection))
        row = {"collection": collection, "adapter": chosen.name if chosen else adapters.BASE, "author": author}
        connection.execute(sa.insert(db.pinned_voices).values(**row, created_at=db.now()))
        adapters.note(connection, row["adapter"], "pinned", f"For the folder {collection}.", author)


def unpin(engine: sa.Engine, collection: str, author: str) -> None:
    """Let whoever speaks elsewhere answer about this folder, too."""
    with db.writing(engine) as connection:
        gone = sa.delete(db.pinned_voices).where(db.pinned_voices.c.collection == collection)
        for name in connection.execute(gone.returning(db.pinned_voices.c.adapter)).scalars().all():
            adapters.note(connection, name, "unpinned", f"From the folder {collection}.", author)


def pinned(engine: sa.Engine) -> list[PinnedVoice]:
    """The folders with a version of their own."""
    return [
        PinnedVoice(row.collection, row.adapter, row.author, datetime.fromtimestamp(row.created_at, UTC))
        for row in db.rows(engine, sa.select(db.pinned_voices).order_by(db.pinned_voices.c.collection))
    ]


def of_folder(pins: Sequence[PinnedVoice], collection: str) -> str | None:
    """The version pinned to a folder, or to the nearest one that it lies in; None where there is none."""
    parts = collection.split("/")
    folders = ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
    found = {one.collection: one.adapter for one in pins}
    return next((found[folder] for folder in folders if folder in found), None)
