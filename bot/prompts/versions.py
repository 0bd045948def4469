"""Which text of a prompt is in use: the one that an operator chose last, or the file that we ship.

Every version that ever made an answer stays in the records, so that the answer can be made again.
"""

import weakref
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from bot import db
from bot.errors import PromptRefused
from bot.log import get_log
from bot.prompts.file import Prompt, checked, names, problems, read, shipped

LONGEST_NOTE = 500
AN_INSTANT = 1e-4  # seconds; of two choices within one tick of the clock the later one counts

_table = db.prompts.c
_known: weakref.WeakKeyDictionary[sa.Engine, set[str]] = weakref.WeakKeyDictionary()
log = get_log(__name__)


@dataclass(frozen=True)
class Version:
    """A text of a prompt in the records: who wrote it, when, and why. `author` is empty for what we ship."""

    prompt: Prompt
    author: str
    note: str
    created_at: datetime
    chosen_at: datetime | None
    in_use: bool


def load(name: str, engine: sa.Engine | None = None) -> Prompt:
    """The version in use: with `engine` the one that an operator chose, otherwise the shipped file."""
    return (_chosen(engine, name) if engine is not None else None) or shipped(name)


def keep(engine: sa.Engine, prompt: Prompt) -> None:
    """Store a version once, so that an answer made with it can be made again. Costs nothing the second time."""
    known = _known.setdefault(engine, set())
    if prompt.version not in known:
        _store(engine, prompt, author="", note="")
        known.add(prompt.version)


def by_version(engine: sa.Engine, version: str) -> Prompt:
    """A version that was used once. Raises `PromptRefused` where nobody knows it."""
    row = db.one(engine, sa.select(db.prompts).where(_table.version == version))
    if row is not None:
        return read(row.name, row.content)
    name = version.partition("@")[0]
    if name in names() and shipped(name).version == version:
        return shipped(name)
    raise PromptRefused(f"There is no version '{version}' of a prompt; `frontdesk prompts show NAME` lists them.")


def history(engine: sa.Engine, name: str) -> list[Version]:
    """Every version of a prompt in the records, the newest first; the shipped file is among them."""
    keep(engine, shipped(name))
    used = load(name, engine).version
    query = sa.select(db.prompts).where(_table.name == name).order_by(_table.created_at.desc(), _table.version)
    return [
        Version(
            prompt=read(row.name, row.content),
            author=row.author,
            note=row.note,
            created_at=datetime.fromtimestamp(row.created_at, UTC),
            chosen_at=None if row.chosen_at is None else datetime.fromtimestamp(row.chosen_at, UTC),
            in_use=row.version == used,
        )
        for row in db.rows(engine, query)
    ]


def save(engine: sa.Engine, name: str, content: str, author: str, note: str = "") -> Prompt:
    """Store an edit without using it yet. Raises `PromptRefused` with what is wrong with it."""
    prompt = checked(name, content)
    _store(engine, prompt, author, note[:LONGEST_NOTE])
    return prompt


def choose(engine: sa.Engine, version: str) -> Prompt:
    """Use this version from the next question on."""
    prompt = by_version(engine, version)
    checked(prompt.name, prompt.content)  # an old one may no longer fit what it is filled with
    keep(engine, prompt)
    with db.writing(engine) as connection:
        latest = sa.select(sa.func.max(_table.chosen_at)).where(_table.name == prompt.name)
        now, last = connection.execute(sa.select(db.now(), latest.scalar_subquery())).one()
        chosen = sa.update(db.prompts).where(_table.version == version)
        connection.execute(chosen.values(chosen_at=max(now, (last or 0.0) + AN_INSTANT)))
    return prompt


def go_back(engine: sa.Engine, name: str) -> Prompt:
    """Return to what was used before the version in use: the one chosen before it, or the shipped file."""
    with db.writing(engine) as connection:
        row = connection.execute(_newest_choice(name)).first()
        if row is None:
            raise PromptRefused(f"The shipped text of '{name}' is in use already, so there is nothing to go back to.")
        connection.execute(sa.update(db.prompts).where(_table.version == row.version).values(chosen_at=None))
    return load(name, engine)


def back_to_shipped(engine: sa.Engine, name: str) -> Prompt:
    """Use the shipped file again, also the one of a later release."""
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.prompts).where(_table.name == name).values(chosen_at=None))
    return shipped(name)


def _newest_choice(name: str) -> sa.Select[str, str]:
    query = sa.select(_table.version, _table.content).where(_table.name == name, _table.chosen_at.is_not(None))
    return query.order_by(_table.chosen_at.desc()).limit(1)


def _chosen(engine: sa.Engine, name: str) -> Prompt | None:
    row = db.one(engine, _newest_choice(name))
    if row is None:
        return None
    prompt = read(name, row.content)
    found = problems(prompt)
    if found:  # chosen under an earlier release, whose prompts were filled with something else
        log.warning("prompt no longer fits", prompt=prompt.version, problems=found)
        return None
    return prompt


def _store(engine: sa.Engine, prompt: Prompt, author: str, note: str) -> None:
    with db.writing(engine) as connection:
        stored = connection.execute(sa.select(_table.content).where(_table.version == prompt.version)).scalar()
        if stored is None:
            values = {"version": prompt.version, "name": prompt.name, "content": prompt.content, "created_at": db.now()}
            connection.execute(sa.insert(db.prompts).values(author=author, note=note, **values))
    if stored is not None and stored != prompt.content:
        raise PromptRefused("Another version happens to have the same short digest; change a word and save again.")
