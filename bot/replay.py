"""An answer made again from what it was pinned to, and exactly what has changed since (DESIGN rule 4).

Three questions about a kept answer: does the same model say the same words to the same prompt, what of all that the
answer stood on is different now, and what would the customer be told today?
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa
from langchain_core.messages import convert_to_messages
from langchain_core.output_parsers import StrOutputParser

from bot import adapters, consult, conversations, db, model, prompts, sentences
from bot.desk import Desk
from bot.errors import AdapterRefused
from bot.records import Answer, Passage, Turn
from bot.telling import LONGEST_ANSWER_SENTENCES, MOST_DROPPED

WORDS_SHOWN = 8

Fate = Literal["active", "reread", "updated", "expired", "removed", "gone"]


@dataclass(frozen=True)
class Origin:
    """What became of a document version that an answer was made from. `reread` is the same file, read anew."""

    document: str
    title: str
    version_id: int
    cited: bool
    fate: Fate
    since: datetime | None = None

    def __str__(self) -> str:
        what, when = f"“{self.title}” ({self.document})", f"on {self.since:%d %B %Y at %H:%M} UTC" if self.since else ""
        role = "which the answer cites" if self.cited else "which was found for it"
        fates = {
            "active": f"{what}, {role}, still answers in the same version {self.version_id}.",
            "reread": f"{what}, {role}, was read anew {when}; the file is the same.",
            "updated": f"{what}, {role}, was updated {when}.",
            "expired": f"{what}, {role}, is no longer valid.",
            "removed": f"{what}, {role}, was removed {when}.",
            "gone": f"{what}, {role}, is not among the documents of this desk.",
        }
        return " ".join(fates[self.fate].split()).replace(" .", ".").replace(" ;", ";")


@dataclass(frozen=True)
class Difference:
    """Where the words made again part from those of then: what both begin with, and how each goes on."""

    words: int
    then: str
    again: str

    def __str__(self) -> str:
        then, again = (f"“{text}”" if text else "the end" for text in (self.then, self.again))
        return f"The words part after {self.words} that are the same: then {then}, again {again}."


@dataclass(frozen=True)
class Replay:
    """`again` is what the model says to the kept prompt, None where it was not asked; `why_not` says why. `identical`
    is None where the words cannot be compared. `changes` are sentences about what differs between then and now."""

    then: Answer
    again: str | None
    why_not: str
    difference: Difference | None
    documents: tuple[Origin, ...]
    changes: tuple[str, ...]
    now: Answer

    @property
    def identical(self) -> bool | None:
        """Whether the answer was reproduced, token for token."""
        return None if self.again is None else self.difference is None

    @property
    def same_now(self) -> bool:
        """Whether the customer would be told the same today."""
        return self.then.text == self.now.text


def replay(desk: Desk, answer_id: str) -> Replay:
    """Make an answer again, and compare all that it was made from with what is there now.

    Raises `NotAllowed` where there is no such answer, `ModelUnavailable` or `SearchUnavailable` where they do not
    answer.
    """
    then = conversations.answer(desk.database, answer_id)
    why_not = _why_not(desk, then)
    again = None if why_not else _said_again(desk, then)
    limit = str(then.parameters.get("collection", ""))
    now = consult.ask(desk, then.question, heard_before(desk.database, answer_id), collection=limit)
    documents = tuple(origins(desk.database, then))
    return Replay(
        then=then,
        again=again,
        why_not=why_not,
        difference=None if again is None else _difference(then, again),
        documents=documents,
        changes=tuple(_changes(desk, then, now, documents)),
        now=now,
    )


def _why_not(desk: Desk, then: Answer) -> str:
    """Why the model cannot be asked again, or was not asked then; empty where it can."""
    if then.pin is not None:
        return f"The model was not asked: this is the approved answer {then.pin}, given word for word."
    if then.declined:
        return "The model was not asked: the question was declined as not for this desk."
    if then.abstained and not then.messages and not then.dropped:
        there, needed = then.parameters.get("evidence"), then.parameters.get("evidence_threshold")
        figures = "" if there is None else f" (evidence {there}, of {needed} that is needed)"
        return f"The model was not asked: what was found did not answer the question{figures}."
    if not then.messages:
        return "This answer was kept without the prompt as it was sent, so its words cannot be made again."
    served = model.served(desk.settings)
    if then.model not in served:
        others = ", ".join(served)
        return f"Its words cannot be made again: the model '{then.model}' is not served; there is {others}."
    return _why_adapter_not(desk, _speaker(then))


def _speaker(then: Answer) -> str | None:
    """The adapter that said the words; the base may have said them for it."""
    return None if then.parameters.get("said_by") == "base" else then.adapter


def _why_adapter_not(desk: Desk, name: str | None) -> str:
    if name is None:
        return ""
    try:
        model.ensure_adapter(desk.settings, adapters.find(desk.database, name))
    except AdapterRefused as error:
        return f"Its words cannot be made again with the adapter {name}: {error}"
    return ""


def _said_again(desk: Desk, then: Answer) -> str:
    """The kept prompt, said to the same model with the same parameters, for as long as it was listened to."""
    longest = then.parameters.get("max_tokens", desk.settings.max_answer_tokens)
    settings = desk.settings.model_copy(update={"model": then.model})
    speaker = model.chat(settings, _speaker(then), longest) | StrOutputParser()
    heard = ""
    pieces = (piece for piece in speaker.stream(convert_to_messages(then.messages)))
    with model.model_errors(desk.settings), closing(pieces) as said:
        for piece in said:
            heard += piece
            if len(heard) > len(then.said):
                break
    return then.said if _hung_up(then) and heard.startswith(then.said) else heard


def _hung_up(then: Answer) -> bool:
    """Whether the consultation heard enough before the model had ended: what it would say further does not differ."""
    if then.quoted or then.abstained:
        return len(then.dropped) >= MOST_DROPPED
    return len(sentences.split(then.text)) >= LONGEST_ANSWER_SENTENCES


def _difference(then: Answer, again: str) -> Difference | None:
    if again == then.said:
        return None
    first, second = then.said.split(" "), again.split(" ")
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
    return Difference(same, *(" ".join(words[same : same + WORDS_SHOWN]) for words in (first, second)))


def _changes(desk: Desk, then: Answer, now: Answer, documents: Sequence[Origin]) -> Iterator[str]:
    """What of all that the answer was made from is different now, a sentence each."""
    yield from (str(one) for one in documents if one.fate != "active")
    yield from _prompt_changes(desk.database, then)
    if then.model != now.model:
        yield f"The model was {then.model} and is {now.model} now."
    yield from _adapter_changes(desk.database, then, now)
    for name in sorted({*then.parameters, *now.parameters} - {"collection"}):
        was, is_now = (one.parameters.get(name, "not kept") for one in (then, now))
        if was != is_now:
            yield f"{name.replace('_', ' ').capitalize()} was {was} and is {is_now} now."
    yield from _search_changes(then.passages, now.passages)


def _prompt_changes(engine: sa.Engine, then: Answer) -> Iterator[str]:
    name = then.prompt.partition("@")[0]
    used = prompts.load(name, engine).version if name in prompts.names() else "none of that name"
    if then.prompt != used:
        yield f"The prompt was {then.prompt} and is {used} now."


def _adapter_changes(engine: sa.Engine, then: Answer, now: Answer) -> Iterator[str]:
    if then.adapter == now.adapter:
        return
    who = then.adapter or "the base model"
    state = {row.name: row.state for row in adapters.listing(engine)}.get(then.adapter or "", "not registered any more")
    fate = f", which is {state} now," if then.adapter else ""
    yield f"Then {who}{fate} spoke; now {now.adapter or 'the base model'} does."


def _search_changes(then: Sequence[Passage], now: Sequence[Passage]) -> Iterator[str]:
    """Passages are told apart by what they say: a document that was read anew has new numbers and the same words."""
    before, after = ({(one.document, one.heading, one.text): one for one in found} for found in (then, now))
    yield from (f"The search no longer finds {_named(one)}." for key, one in before.items() if key not in after)
    yield from (f"The search now also finds {_named(one)}." for key, one in after.items() if key not in before)
    if before.keys() == after.keys() and list(before) != list(after):
        yield "The search finds the same passages in another order."


def _named(passage: Passage) -> str:
    page = f", page {passage.page}" if passage.page else ""
    beginning = " ".join(passage.text.split()[:WORDS_SHOWN])
    return f"“{prompts.place(passage)}” ({passage.document}{page}: “{beginning} …”)"


def origins(engine: sa.Engine, then: Answer) -> Iterator[Origin]:
    """What became of every document version that an answer cites or that was found for it."""
    cited = {(one.document, one.version_id) for one in then.citations}
    titles = {(one.document, one.version_id): one.title for one in then.passages}
    titles |= {(one.document, one.version_id): one.title for one in then.citations}
    for (document, version_id), title in titles.items():
        fate, since = _fate(engine, document, version_id)
        yield Origin(document, title, version_id, (document, version_id) in cited, fate, since)


def _fate(engine: sa.Engine, document: str, version_id: int) -> tuple[Fate, datetime | None]:
    table, ours, active = db.documents.c, db.versions.alias(), db.versions.alias()
    query = (
        sa.select(
            table.removed,
            table.active_version_id,
            table.updated_at,
            (table.valid_until <= db.now()).label("expired"),
            active.c.indexed_at,
            (ours.c.digest == active.c.digest).label("same_file"),
        )
        .select_from(db.documents)
        .outerjoin(active, active.c.version_id == table.active_version_id)
        .outerjoin(ours, ours.c.version_id == version_id)
        .where(table.path == document)
    )
    row = db.one(engine, query)
    if row is None:
        return "gone", None
    if row.removed or row.active_version_id is None:
        return "removed", _time(row.updated_at)
    if row.expired:
        return "expired", None
    if row.active_version_id == version_id:
        return "active", None
    return "reread" if row.same_file else "updated", _time(row.indexed_at)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def heard_before(engine: sa.Engine, answer_id: str) -> tuple[Turn, ...]:
    """What had been said before in the same conversation, as much of it as a follow-up hears."""
    asked, before = db.answers.alias(), db.answers.c
    query = (
        sa.select(before.question, before.answer["text"].as_string().label("text"))
        .join(asked, asked.c.conversation_id == before.conversation_id)
        .where(asked.c.answer_id == answer_id, before.created_at < asked.c.created_at)
        .order_by(before.created_at)
    )
    turns = [
        turn for row in db.rows(engine, query) for turn in (Turn("user", row.question), Turn("assistant", row.text))
    ]
    return tuple(turns[-conversations.HISTORY_TURNS :])
