"""A question in its conversation: what to search for so that "does it have parking?" finds the right hotel's parking.

A large model rewrites the question (prompt `condense`). The small one would spoil it; there the question is searched
for alone, with the names that the conversation mentioned, and after the question before it, and each is trusted as far
as it brings the documents nearer. A name is what titles and headings of the documents have in common with a turn. This
module knows how a follow-up is understood, not how is searched.
"""

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser

from bot import lexical, model, prompts
from bot.desk import Desk
from bot.errors import FrontdeskError
from bot.log import get_log
from bot.records import Turn
from bot.revision import Kept, Revision, revision
from bot.serving.weights import BASE_MODEL, CHAT_MODEL
from bot.settings import Settings

TURNS = 8
NAMES = 2
PLACES = 10
LONGEST_TURN = 600  # characters of a turn that are looked at
FADES = 0.8  # what a name of a turn weighs, a turn later
# By so much nearer (cosine of the nearest chunk) must a reading bring the documents to count nothing, and fully.
NO_GAIN, FULL_GAIN = -0.05, 0.1
BEFORE, ALONE_LESS, NAMED = 0.5, 0.1, 0.7
# From so much nearer on, what a conversation was about is what its next question is about, too.
SAME_SUBJECT = 0.03

Reading = Literal["question", "named", "before", "rewritten"]

log = get_log(__name__)
_names: Kept[tuple[tuple[str, float], ...]] = Kept(500)
_frequencies: Kept[float] = Kept(5_000)


@dataclass(frozen=True)
class Query:
    """One way to read a question, as text to search for."""

    reading: Reading
    text: str


def queries(desk: Desk, question: str, history: Sequence[Turn]) -> list[Query]:
    """The ways to read a question, itself first. Without a history it is the only one."""
    alone = Query("question", question)
    if not history:
        return [alone]
    if is_large(desk.settings):
        rewritten = condensed(desk, model.chat(desk.settings, None, background=desk.background), question, history)
        if rewritten:
            return [alone, *([Query("rewritten", rewritten)] if rewritten != question else [])]
    named = ", ".join(names(desk.database, history))
    before = [turn.text for turn in history if turn.role == "user"][-1:]
    return [
        alone,
        *([Query("named", f"{named}: {question}")] if named else []),
        *(Query("before", f"{text[-LONGEST_TURN:]} {question}") for text in before),
    ]


def weights(asked: Sequence[Query], nearest: Sequence[float]) -> list[float]:
    """How much each way to read a question counts, given the cosine of the chunk that is nearest to each."""
    gains = [_gain(near - nearest[0]) for near in nearest]
    best = max((gain for query, gain in zip(asked, gains, strict=True) if query.reading != "question"), default=0.0)
    return [_weight_of(query, gain, best) for query, gain in zip(asked, gains, strict=True)]


def _weight_of(query: Query, gain: float, best: float) -> float:
    if query.reading == "question":
        return 1 - ALONE_LESS * best
    if query.reading == "named":
        return NAMED + (1 - NAMED) * gain
    return BEFORE * gain if query.reading == "before" else 1.0


def in_context(asked: Sequence[Query], nearest: Sequence[float]) -> str:
    """The reading that a model is asked and that evidence is judged for: the one that brings the documents nearest,
    the question itself where none brings them clearly nearer."""
    gains = [near - nearest[0] for near in nearest]
    best = max(range(len(asked)), key=lambda at: (asked[at].reading == "rewritten", gains[at]))
    return asked[best].text if asked[best].reading == "rewritten" or gains[best] >= SAME_SUBJECT else asked[0].text


def is_large(settings: Settings) -> bool:
    """Whether the chat model can be trusted to rewrite a question: any that was chosen instead of our small ones, and
    of an adapter of theirs that is named after them."""
    return not settings.model.startswith((CHAT_MODEL, BASE_MODEL))


def condensed(desk: Desk, chat: BaseChatModel, question: str, history: Sequence[Turn]) -> str:
    """The question as the model puts it, in one line; empty where it fails or answers at length."""
    said = "\n".join(f"{turn.role}: {turn.text[:LONGEST_TURN]}" for turn in history[-TURNS:])
    prompt = prompts.load("condense", desk.database)
    try:
        with model.model_errors(desk.settings):
            chain = prompt.chat() | chat | StrOutputParser()
            rewritten = " ".join(chain.invoke({"history": said, "question": question}).split())
    except FrontdeskError as error:
        log.warning("the question was not rewritten", reason=str(error))
        return ""
    return rewritten if len(rewritten) <= len(question) + LONGEST_TURN else ""


def names(engine: sa.Engine, history: Sequence[Turn]) -> list[str]:
    """The names that the conversation mentioned and that titles or headings of the documents have, the weightiest
    first: those that say much, that are most of a title, and that were said last."""
    now = revision(engine)
    weighed: dict[str, float] = {}
    for age, turn in enumerate(reversed(history[-TURNS:])):
        for name, weight in _names_in(engine, now, turn.text[:LONGEST_TURN]):
            weighed[name] = max(weighed.get(name, 0.0), weight * FADES**age)
    return sorted(weighed, key=lambda name: -weighed[name])[:NAMES]


def _gain(nearer: float) -> float:
    return min(1.0, max(0.0, (nearer - NO_GAIN) / (FULL_GAIN - NO_GAIN)))


def _names_in(engine: sa.Engine, now: Revision, text: str) -> tuple[tuple[str, float], ...]:
    """The names of a turn with what they weigh; one that is part of a weightier one is left out."""
    known = _names.get(engine, now, text)
    if known is None:
        weighed: dict[str, float] = {}
        for part in _parts(lexical.places(engine, text, PLACES)):
            whole = _weight(engine, now, part) or 1.0
            for name in _shared(text, part):
                weight = _weight(engine, now, name)
                weighed[name] = max(weighed.get(name, 0.0), weight * min(1.0, weight / whole) ** 2)
        known = tuple((name, weight) for name, weight in weighed.items() if not _is_part(name, weighed))
        _names.put(engine, now, text, known)
    return known


def _parts(places: Sequence[tuple[str, str]]) -> list[str]:
    """Titles and headings, taken apart at what usually parts a name from the rest."""
    parts = (part.strip() for place in places for text in place for part in re.split(r"[:>|]| [–—-] ", text))
    return list(dict.fromkeys(part for part in parts if part))


def _shared(text: str, part: str) -> Iterator[str]:
    """The longest runs of words of a text that stand in a part of a title, too, whatever their endings."""
    said, there = lexical.words(text), lexical.words(part)
    stems, sought = [lexical.stem(word) for word in said], [lexical.stem(word) for word in there]
    for i, j in itertools.product(range(len(said)), range(len(there))):
        if stems[i] != sought[j] or (i and j and stems[i - 1] == sought[j - 1]):
            continue  # no run begins here
        length = 1
        while i + length < len(said) and j + length < len(there) and stems[i + length] == sought[j + length]:
            length += 1
        run = _without_stopwords_around(said[i : i + length])
        if run:
            yield " ".join(run)


def _without_stopwords_around(run: list[str]) -> list[str]:
    content = [at for at, word in enumerate(run) if word not in lexical.STOPWORDS]
    return run[content[0] : content[-1] + 1] if content else []


def _is_part(name: str, weighed: dict[str, float]) -> bool:
    return any(f" {name} " in f" {other} " and weighed[other] > weighed[name] for other in weighed if other != name)


def _weight(engine: sa.Engine, now: Revision, text: str) -> float:
    """How much a name says: the sum of its words' inverse frequencies in titles and headings."""
    return sum(_rarity(engine, now, word) for word in dict.fromkeys(lexical.content_words(text)))


def _rarity(engine: sa.Engine, now: Revision, word: str) -> float:
    known = _frequencies.get(engine, now, word)
    if known is None:
        found, total = lexical.frequencies(engine, [word], in_places=True)
        known = math.log((total + 1) / (found[word] + 0.5))
        _frequencies.put(engine, now, word, known)
    return known
