"""One answer while it is being told: what the model says, sentence by sentence, what of it may be shown, and the whole
in the end, pinned to everything that it was made from.

What is answered is the base model's to say, whoever speaks. A style reads nothing but that answer and says it in its
way, as long as it says as much: knowledge lives in retrieval, style lives in the adapter.
"""

import secrets
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from langchain_core.messages import BaseMessage

from bot import citations, courtesy, emphasis, examples, ground, manners, model, prompts, sentences
from bot.claims import rows
from bot.desk import Desk
from bot.evidence import Evidence, cells, confidence
from bot.examples import Example
from bot.ground import Support
from bot.pins import Pin
from bot.prompts import Prompt
from bot.records import Adapter, Answer, Citation, Manner, Nearby, Passage, Sentence, Timings

LONGEST_ANSWER_SENTENCES = 3
MOST_DROPPED = 2  # a model whose first sentences find no support says nothing worth waiting for
MOST_NEARBY = 2
LEAST_NEARBY = 0.1  # evidence below it comes from documents about something else, and to name them helps nobody


def words(desk: Desk, voice: Adapter | None, most_tokens: int, messages: list[BaseMessage]) -> Iterator[str]:
    """What the model says, piece by piece. It ends at once when nobody listens any more: LangChain's own chain of
    model and parser (LCEL) would first hear the model out."""
    speaker = model.chat(desk.settings, voice.name if voice else None, most_tokens, background=desk.background)
    return (str(piece.text) for piece in speaker.stream(messages))


@dataclass
class Speech:
    """What a `speaker` (None: the base) was sent about the passages that it `read`, and what it has `said` to that.
    `earlier` is how many sentences had been dropped before."""

    speaker: Adapter | None = None
    read: tuple[Passage, ...] = ()
    messages: Sequence[BaseMessage] = ()
    examples: tuple[int, ...] = ()
    earlier: int = 0
    said: str = ""


@dataclass
class Telling:
    """One answer in the making. `threshold` is how sure the evidence must be, before the model speaks and after;
    `speech` is what was said last. A `voice` says what the base has told in its way."""

    desk: Desk
    question: str
    voice: Adapter | None
    prompt: Prompt
    threshold: float
    collection: str = ""
    begun: float = field(default_factory=time.perf_counter)
    retrieved: float = 0.0
    first_token: float = 0.0
    first_sentence: float = 0.0
    manner: Manner | None = None
    pin: Pin | None = None
    passages: tuple[Passage, ...] = ()
    evidence: Evidence = field(default_factory=lambda: Evidence(0.0, {}, (), None))
    greeting: str = ""
    speech: Speech = field(default_factory=Speech)
    shown: list[Sentence] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    meaning: str = ""
    quoted: bool = False
    pointed_out: str = ""

    def found(self, passages: tuple[Passage, ...]) -> None:
        """Note what the search brought up."""
        self.passages = passages
        self.retrieved = time.perf_counter()

    def recite(self, pin: Pin) -> Iterator[Sentence]:
        """A reviewer's approved answer, word for word."""
        self.pin, self.passages = pin, pin.passages
        by_number = {citation.n: citation for citation in pin.citations}
        for text in sentences.split(pin.text):
            cited = [by_number[n] for n in sentences.markers(text) if n in by_number]
            sentence = Sentence(text, tuple(cited))
            yield self._show(sentence)

    def speak(self, meaning: str) -> Iterator[Sentence]:
        """The base's supported sentences; without any, the best passage's own words. A voice says them again in its
        way. `meaning` is the question made standalone, which the model is asked."""
        self.meaning = meaning
        with model.model_errors(self.desk.settings):
            if self.voice is None:
                yield from self._told()
            elif plain := list(self._told()):
                yield from self._styled(plain, self.voice)

    def finished(self) -> Answer:
        """The answer as it was told."""
        now = time.perf_counter()
        keys = self._keys()
        cited = tuple(dict.fromkeys(c for sentence in self.shown for c in sentence.citations))
        abstained = not self.shown
        declined = abstained and self.manner is not None and manners.declines(self.manner)
        upset = self.manner is not None and manners.wants_person(self.manner)
        nearby = _nearby(self.passages) if abstained and self.evidence.score >= LEAST_NEARBY else ()
        return Answer(
            answer_id=secrets.token_hex(16),
            question=self.question,
            text=self._apology(declined, nearby) if abstained else " ".join(one.text for one in self.shown),
            abstained=abstained,
            quoted=self.quoted,
            citations=cited,
            passages=citations.in_sections(self.desk.database, self.passages, {one.chunk_id for one in cited}),
            dropped=tuple(self.dropped),
            model=self.desk.settings.model,
            adapter=self.voice.name if self.voice else None,
            prompt=self.prompt.version,
            parameters=self._parameters(),
            timings_ms=Timings(
                retrieve=_milliseconds(self.begun, self.retrieved or now),
                first_token=_milliseconds(self.begun, self.first_token or now),
                total=_milliseconds(self.begun, now),
                first_sentence=_milliseconds(self.begun, self.first_sentence or self.begun),
            ),
            declined=declined,
            nearby=nearby,
            offers_person=upset or (abstained and not declined),
            manner=self.manner,
            pin=self.pin.pin_id if self.pin else None,
            messages=prompts.plain(self.speech.messages),
            said=self.speech.said,
            keys=keys if any(keys) else (),
        )

    def _keys(self) -> tuple[str, ...]:
        """The words that answer in each shown sentence: those that the model set off in it; where there are none, those
        that it named afterwards, or else those that a reader finds in what one of them cites."""
        if any(one.key for one in self.shown):
            return tuple(one.key for one in self.shown)
        keys = [emphasis.meant(self.pointed_out, one.text) for one in self.shown]
        if not any(keys):
            keys = [self._found_in(one) for one in self.shown]
        last = max((at for at, key in enumerate(keys) if key), default=-1)
        return tuple(key if at == last else "" for at, key in enumerate(keys))

    def _found_in(self, sentence: Sentence) -> str:
        """The words of a sentence that are the answer in what it cites, unless they are all of it."""
        for citation in sentence.citations:
            key = emphasis.meant(self.evidence.words_in(citation.chunk_id, citation.quote), sentence.text)
            whole = min(len(text.split()) for text in (citation.quote, sentences.without_markers(sentence.text)))
            if key and len(key.split()) < whole and not emphasis.repeats(key, self.meaning):
                return key
        return ""

    @property
    def _most_tokens(self) -> int:
        return self.desk.settings.max_answer_tokens + self.prompt.reasoning_tokens

    def _parameters(self) -> dict[str, object]:
        return {
            "temperature": 0,
            "max_tokens": self._most_tokens,
            "evidence": round(self.evidence.score, 3),
            "evidence_threshold": round(self.threshold, 3),
            **{name: round(value, 3) for name, value in self.evidence.features.items()},
            **({"collection": self.collection} if self.collection else {}),
            **({"examples": list(self.speech.examples)} if self.speech.examples else {}),
            **({"said_by": "base"} if self.voice and self.speech.messages and not self.speech.speaker else {}),
        }

    def _apology(self, declined: bool, nearby: Sequence[Nearby]) -> str:
        """What is said instead of an answer."""
        name = "declined" if declined else "abstain_nearby" if nearby else "abstain"
        titles = ", ".join(f"“{near.title}”" for near in nearby)
        settings = self.desk.settings
        text = prompts.load(name, self.desk.database).text
        return text.format(company=settings.company, contact=settings.contact, documents=titles)

    def _shown(self, spoken: Iterator[str]) -> Iterator[Sentence]:
        """Those of the sentences that may be shown. What greets is shown with the first of them, also where it opened
        one that was dropped. Words in a line of their own point out what answers in a sentence."""
        for said in spoken:
            if key := sentences.lone_key(said):  # before it is greeted, which would make a sentence of it
                self.pointed_out = "" if emphasis.repeats(key, self.meaning) else key
                continue
            if courtesy.is_all(said) and not self.shown:
                if len(self.dropped) == self.speech.earlier:  # after something else it is no greeting
                    self.greeting = self.greeting or said
                continue
            sentence = self._verified(self._greeted(said))
            if sentence:
                yield sentence
            elif not self.shown:
                self.greeting = self.greeting or courtesy.opening(said)
            if self._heard_enough():
                return

    def _greeted(self, said: str) -> str:
        return said if self.shown or courtesy.opening(said) else f"{self.greeting} {said}".strip()

    def _told(self) -> Iterator[Sentence]:
        """What there is to say, in the base's words or, failing these, in the document's."""
        yield from self._said_of(self.evidence.excerpts, None)
        if not self.shown and (quotation := self._quotation()):
            self.quoted, self.pointed_out = True, ""
            yield self._show(replace(quotation, text=self._greeted(quotation.text)))

    def _styled(self, plain: Sequence[Sentence], voice: Adapter) -> Iterator[Sentence]:
        """What the voice makes of a plain answer; where that says less, the plain one behind the voice's greeting. What
        is left open, and the words that answer, stay the base's."""
        keys, quoted, speech = [key for key in self._keys() if key], self.quoted, self.speech
        self.shown, self.greeting, self.quoted, self.first_sentence = [], "", False, 0.0
        read = alone(
            [
                (c.chunk_id, c.quote if quoted else sentences.without_markers(one.text))
                for one in plain
                for c in one.citations
            ],
            self.passages,
        )
        told = list(self._said_of(read, voice))
        if not quoted and not _says_as_much(told, plain, keys):
            self.dropped += [one.text for one in told]
            self.greeting = self.greeting or courtesy.opening(told[0].text if told else "")
            told = []
        if told:
            said = {one.text for one in told}
            told += [one for one in plain if not (one.citations or one.text in said or courtesy.is_all(one.text))]
        else:  # what is shown is what was said before
            told = [one for one in plain if not courtesy.is_all(one.text)]
            self.quoted, self.speech = quoted, speech
        self.shown, self.pointed_out = [], ""
        for sentence in told:
            yield self._show(
                replace(sentence, text=self._greeted(sentence.text), key=_standing_in(sentence.text, keys))
            )

    def _said_of(self, read: tuple[Passage, ...], speaker: Adapter | None) -> Iterator[Sentence]:
        with closing(self._spoken(read, speaker)) as spoken:
            yield from self._shown(spoken)

    def _spoken(self, read: tuple[Passage, ...], speaker: Adapter | None) -> Generator[str, None, None]:
        """The sentences of the model as they end. What it was asked and what it said, the last time, is kept for a
        replay."""
        desk = self.desk
        chosen = examples.choose(desk.database, desk.embeddings, self.meaning, desk.settings.examples)
        messages = self._asked(read, chosen)
        shots = tuple(example.feedback_id for example in chosen)
        self.speech = Speech(speaker, read, messages, shots, earlier=len(self.dropped))
        pieces = self._heard(words(desk, speaker, self._most_tokens, messages))
        yield from sentences.stream(prompts.spoken(pieces, self.prompt))

    def _asked(self, read: Sequence[Passage], shots: Sequence[Example] = ()) -> list[BaseMessage]:
        """What the model is sent about passages."""
        company = self.desk.settings.company
        return prompts.compose(self.prompt, company=company, excerpts=read, question=self.meaning, examples=shots)

    def _heard(self, pieces: Iterator[str]) -> Iterator[str]:
        for piece in pieces:
            if piece and not self.first_token:
                self.first_token = time.perf_counter()
            self.speech.said += piece
            yield piece

    def _heard_enough(self) -> bool:
        unsupported = not self.shown and len(self.dropped) - self.speech.earlier >= MOST_DROPPED
        return unsupported or len(self.shown) == LONGEST_ANSWER_SENTENCES

    def _verified(self, spoken: str) -> Sentence | None:
        """The sentence without its marks of emphasis, if a passage supports it, it is to the point, it is whole and it
        is new, or if it needs no source. To ask is not to answer, nor is it to say nothing more than the question:
        small models like to repeat it."""
        said, key = sentences.emphasised(spoken)
        unfinished = self.shown and not said.rstrip("”\"')").endswith((".", "!", "?", "]"))
        if unfinished or sentences.without_markers(said).endswith("?"):
            self.dropped.append(said)
            return None
        plain = sentences.without_markers(said)
        if self._may_stand_alone(said) and all(plain != other.text for other in self.shown):
            return self._show(Sentence(plain, ()))
        by_id = {passage.chunk_id: passage for passage in self.passages}
        whole = [by_id[excerpt.chunk_id] for excerpt in self.speech.read]
        support = ground.support(said, whole, sentences.markers(said), self.desk.embeddings)
        if (
            support is None
            or not self.evidence.speaks_to_the_question(support.passage, support.quote)
            or not self._tells_the_cell(said, support)
            or not (self.shown or ground.tells(said, support.quote, self.meaning))
        ):
            self.dropped.append(said)
            return None
        citation = self._cite(support.passage, support.quote)
        sentence = Sentence(sentences.with_marker(sentences.without_markers(said), citation.n), (citation,), key)
        if any(sentence.text == other.text for other in self.shown):  # small models repeat themselves
            return None
        if not self._is_sure(sentence, quoted=False):
            self.dropped.append(said)
            return None
        return self._show(sentence)

    def _tells_the_cell(self, said: str, support: Support) -> bool:
        """Whether what is said of a table row stands in a cell that is asked for."""
        told = [cell for cell in rows.cells(support.quote)[1:] if rows.told(said, cell)]
        words = self.evidence.words_in(support.passage.chunk_id, support.quote)
        asked = cells.asked_for(self.desk.embeddings, self.meaning, support.quote, words) if told else []
        return not told or any(cell in asked for cell in told)

    def _may_stand_alone(self, said: str) -> bool:
        """Whether a sentence needs no source, beside something that has one: it is courtesy, or it says, once, what
        the documents do not."""
        if courtesy.is_all(said):
            return bool(self.shown)
        answered = bool(self.shown) and all(sentence.citations for sentence in self.shown)
        return answered and ground.leaves_open(said, self.question, self.desk.settings.company)

    def _is_sure(self, sentence: Sentence, *, quoted: bool) -> bool:
        """Whether the question looks answered, now that there is something to say."""
        told = [one for one in (*self.shown, sentence) if one.citations]
        return confidence.after(self.evidence, told, self.dropped[self.speech.earlier :], quoted) >= self.threshold

    def _quotation(self) -> Sentence | None:
        """The best sentence that was found, word for word, if it is sure enough to answer."""
        if self.evidence.best is None:
            return None
        passage, quote = self.evidence.best
        citation = self._cite(passage, quote)
        text = prompts.load("quote", self.desk.database).text
        sentence = Sentence(text.format(title=passage.title, quote=quote, n=citation.n), (citation,))
        return sentence if self._is_sure(sentence, quoted=True) else None

    def _cite(self, passage: Passage, quote: str) -> Citation:
        known = {citation: citation.n for sentence in self.shown for citation in sentence.citations}
        for citation in known:
            if (citation.chunk_id, citation.quote) == (passage.chunk_id, quote):
                return citation
        return Citation(
            n=len(known) + 1,
            document=passage.document,
            title=passage.title,
            page=passage.page,
            heading=passage.heading,
            quote=quote,
            chunk_id=passage.chunk_id,
            version_id=passage.version_id,
        )

    def _show(self, sentence: Sentence) -> Sentence:
        self.first_sentence = self.first_sentence or time.perf_counter()
        self.shown.append(sentence)
        return sentence


def alone(told: Sequence[tuple[str, str]], passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """What a style reads: the passages that something is told of, each with nothing in it but that. `told` has the
    chunk id and the words."""
    by_id = {passage.chunk_id: passage for passage in passages}
    of_chunk: dict[str, dict[str, None]] = {}
    for chunk_id, words in told:
        of_chunk.setdefault(chunk_id, {})[words] = None
    return tuple(replace(by_id[chunk_id], text=" ".join(some)) for chunk_id, some in of_chunk.items())


def _says_as_much(told: Sequence[Sentence], plain: Sequence[Sentence], keys: Sequence[str]) -> bool:
    """Whether an answer has the plain one's words that answer, and says what it says."""
    text = " ".join(one.text for one in told)
    return all(sentences.span(key, text)[1] for key in keys) and all(
        ground.says(text, one.text) for one in plain if one.citations
    )


def _standing_in(text: str, keys: Sequence[str]) -> str:
    return next((key for key in keys if sentences.span(key, text)[1]), "")


def _nearby(passages: Sequence[Passage]) -> tuple[Nearby, ...]:
    """The documents that came closest, each once."""
    best = {passage.document: passage for passage in reversed(passages)}
    order = list(dict.fromkeys(passage.document for passage in passages))[:MOST_NEARBY]
    return tuple(Nearby(best[path].document, best[path].title, best[path].heading) for path in order)


def _milliseconds(begin: float, end: float) -> float:
    return round(1000 * (end - begin), 1)
