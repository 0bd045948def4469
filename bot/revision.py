"""What the documents are like now, as one value that changes whenever a search could find something else, and results
that are kept as long as it stays the same. Nothing here knows what a search is."""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from bot import db

# Not only the documents decide what is found: a repair mends the vectors behind the ledger's back.
KEPT_SECONDS = 300

Revision: TypeAlias = tuple[Any, ...]
Value = TypeVar("Value")


def revision(engine: sa.Engine) -> Revision:
    """The index that answers, the newest change of a document, how many answer and with which versions, and how many
    have come into force or expired: equal as long as nothing has changed that a search could show."""
    document = db.documents.c
    live = sa.select(db.indexes.c.index_id).where(db.indexes.c.state == "live").scalar_subquery()
    in_force = sa.func.sum(sa.case((document.valid_from <= db.now(), 1), else_=0))
    expired = sa.func.sum(sa.case((document.valid_until <= db.now(), 1), else_=0))
    active = document.active_version_id
    query = sa.select(
        live, sa.func.max(document.updated_at), sa.func.count(active), sa.func.sum(active), in_force, expired
    )
    return tuple(db.one(engine, query) or ())


def unseen_versions(engine: sa.Engine) -> list[int]:
    """The versions that would answer if their documents were in force: not yet valid, or not any more."""
    document = db.documents.c
    query = sa.select(document.active_version_id).where(
        document.active_version_id.is_not(None),
        (document.valid_from > db.now()) | (document.valid_until <= db.now()),
    )
    return [row.active_version_id for row in db.rows(engine, query)]


class Kept(Generic[Value]):
    """Results of this process by key, of one revision of each database; the least recently used goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._shelves: WeakKeyDictionary[sa.Engine, tuple[Revision, OrderedDict[Hashable, tuple[float, Value]]]]
        self._shelves = WeakKeyDictionary()

    def get(self, engine: sa.Engine, of: Revision, key: Hashable) -> Value | None:
        """What was kept under the key while the documents were as they are now."""
        with self._lock:
            shelf = self._shelf(engine, of)
            since, value = shelf.get(key, (0.0, None))
            if value is None or time.monotonic() - since > KEPT_SECONDS:
                return None
            shelf.move_to_end(key)
            return value

    def put(self, engine: sa.Engine, of: Revision, key: Hashable, value: Value) -> None:
        """Keep a result. `of` is the revision from before the work began, so that a change meanwhile voids it."""
        with self._lock:
            shelf = self._shelf(engine, of)
            shelf[key] = (time.monotonic(), value)
            if len(shelf) > self._most:
                shelf.popitem(last=False)

    def _shelf(self, engine: sa.Engine, of: Revision) -> OrderedDict[Hashable, tuple[float, Value]]:
        known, shelf = self._shelves.get(engine, ((), OrderedDict()))
        if known != of:
            shelf = OrderedDict()  # what was found in documents that are gone leaves the memory, too
            self._shelves[engine] = (of, shelf)
        return shelf
