"""The consultation: a question in, a stream of events out.

retrieve -> enough evidence? -> model -> each sentence checked -> shown with its citation. Where the model's words are
not supported the best passage speaks for itself; where the passages are not enough the answer says so.
"""

import secrets
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import Runnable

from bot import adapters, conversations, evidence, ground, model, prompts, retrieve, sentences
from bot.desk import Desk
from bot.errors import QuestionRefused
from bot.evidence import Evidence
from bot.records import Adapter, Answer, Citation, Found, Passage, Sentence, Timings, Turn

LONGEST_ANSWER_SENTENCES = 3


def consult(
    desk: Desk,
    question: str,
    history: Sequence[Turn] = (),
    conversation_id: str | None = None,
    adapter: str | None = None,
    collection: str = "",
) -> Iterator[Found | Sentence | Answer]:
    """Answer a question: first what was found, then each verified sentence, last the whole answer, already kept.

    `adapter` names the version that speaks ("" for the base model); without it the active one does. `collection` limits
    the answer to the documents of one folder of the inbox. Raises a `FrontdeskError` that can be shown as it is where
    the search or the model does not answer.
    """
    telling = _Telling(desk, _checked(question, desk), _voice(desk, adapter), collection)
    retriever = retrieve.PassageRetriever(
        desk=desk, k=desk.settings.passages, history=tuple(history), collection=collection
    )
    telling.passages = tuple(found.metadata["passage"] for found in retriever.invoke(telling.question))
    telling.retrieved = time.perf_counter()
    yield Found(telling.passages)
    queries = retrieve.standalone(telling.question, history)
    found = evidence.weigh(desk, queries, telling.passages)
    if found.score >= desk.settings.evidence_threshold:
        yield from telling.speak(queries[-1], found)
    answer = telling.finished(found)
    conversations.keep(desk.database, answer, conversation_id)
    yield answer


def ask(
    desk: Desk,
    question: str,
    history: Sequence[Turn] = (),
    adapter: str | None = None,
    collection: str = "",
) -> Answer:
    """The whole answer at once, for commands and evaluation."""
    *_, answer = consult(desk, question, history, adapter=adapter, collection=collection)
    assert isinstance(answer, Answer)
    return answer


def chain(desk: Desk, voice: Adapter | None) -> Runnable[dict[str, str], str]:
    """prompt | model | text, as LangChain composes it (LCEL); it streams pieces of text."""
    return prompts.load("answer").chat() | model.chat(desk.settings, voice.name if voice else None) | StrOutputParser()


def prompt_values(desk: Desk, question: str, excerpts: Sequence[Passage]) -> dict[str, str]:
    """What the answer prompt is filled with; training fills it with the same."""
    return {"company": desk.settings.company, "passages": prompts.numbered(excerpts), "question": question}


@dataclass
class _Telling:
    """One answer while it is being made."""

    desk: Desk
    question: str
    voice: Adapter | None
    collection: str = ""
    begun: float = field(default_factory=time.perf_counter)
    retrieved: float = 0.0
    first_token: float = 0.0
    passages: tuple[Passage, ...] = ()
    shown: list[Sentence] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    quoted: bool = False

    def speak(self, meaning: str, found: Evidence) -> Iterator[Sentence]:
        """The model's supported sentences; without any, the best passage's own words."""
        with model.model_errors(self.desk.settings), closing(self._spoken(meaning, found.excerpts)) as spoken:
            for said in spoken:
                sentence = self._verified(said, found)
                if sentence:
                    yield sentence
                if len(self.shown) == LONGEST_ANSWER_SENTENCES:
                    break
        if not self.shown and found.best:
            self.quoted = True
            passage, quote = found.best
            citation = self._cite(passage, quote)
            text = prompts.load("quote").text.format(title=passage.title, quote=quote, n=citation.n)
            yield self._show(text, citation)

    def finished(self, found: Evidence) -> Answer:
        """The answer as it was told, pinned to everything that it was made from."""
        settings = self.desk.settings
        abstained = not self.shown
        text = " ".join(sentence.text for sentence in self.shown)
        if abstained:
            text = prompts.load("abstain").text.format(contact=settings.contact)
        now = time.perf_counter()
        return Answer(
            answer_id=secrets.token_hex(16),
            question=self.question,
            text=text,
            abstained=abstained,
            quoted=self.quoted,
            citations=tuple(dict.fromkeys(c for sentence in self.shown for c in sentence.citations)),
            passages=self.passages,
            dropped=tuple(self.dropped),
            model=settings.model,
            adapter=self.voice.name if self.voice else None,
            prompt=prompts.load("answer").version,
            parameters={
                "temperature": 0,
                "max_tokens": settings.max_answer_tokens,
                "evidence": round(found.score, 3),
                "evidence_threshold": settings.evidence_threshold,
                **{name: round(value, 3) for name, value in found.features.items()},
                **({"collection": self.collection} if self.collection else {}),
            },
            timings_ms=Timings(
                retrieve=_milliseconds(self.begun, self.retrieved),
                first_token=_milliseconds(self.begun, self.first_token or now),
                total=_milliseconds(self.begun, now),
            ),
        )

    def _spoken(self, meaning: str, excerpts: Sequence[Passage]) -> Generator[str, None, None]:
        values = prompt_values(self.desk, meaning, excerpts)
        yield from sentences.stream(self._timed(chain(self.desk, self.voice).stream(values)))

    def _timed(self, pieces: Iterator[str]) -> Iterator[str]:
        for piece in pieces:
            if piece and not self.first_token:
                self.first_token = time.perf_counter()
            yield piece

    def _whole(self, excerpts: Sequence[Passage]) -> list[Passage]:
        by_id = {passage.chunk_id: passage for passage in self.passages}
        return [by_id[excerpt.chunk_id] for excerpt in excerpts]

    def _verified(self, said: str, found: Evidence) -> Sentence | None:
        """The sentence, if a passage supports it, it is to the point, it is whole and it is new."""
        support = ground.support(said, self._whole(found.excerpts), cited=sentences.markers(said))
        unfinished = self.shown and not said.rstrip("”\"')").endswith((".", "!", "?", "]"))
        if support is None or unfinished or not found.speaks_to_the_question(support.passage, support.quote):
            self.dropped.append(said)
            return None
        citation = self._cite(support.passage, support.quote)
        text = _with_marker(sentences.without_markers(said), citation.n)
        if any(text == sentence.text for sentence in self.shown):  # small models repeat themselves
            return None
        return self._show(text, citation)

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

    def _show(self, text: str, citation: Citation) -> Sentence:
        sentence = Sentence(text, (citation,))
        self.shown.append(sentence)
        return sentence


def _checked(question: str, desk: Desk) -> str:
    text = question.strip()
    longest = desk.settings.max_question_characters
    if not text:
        raise QuestionRefused("The question is empty; please type one.")
    if len(text) > longest:
        raise QuestionRefused(f"The question has {len(text):,} characters; please ask it in at most {longest:,}.")
    return text


def _voice(desk: Desk, adapter: str | None) -> Adapter | None:
    """The adapter that speaks, made sure to be loaded: the server may have been restarted since."""
    chosen = adapters.active(desk.database) if adapter is None else None
    if adapter:
        chosen = adapters.find(desk.database, adapter)
    if chosen:
        model.ensure_adapter(desk.settings, chosen)
    return chosen


def _with_marker(sentence: str, n: int) -> str:
    """A sentence with its one citation before the full stop."""
    body = sentence.rstrip(".!?… ")
    return f"{body} [{n}]{sentence[len(body) :].strip() or '.'}"


def _milliseconds(begin: float, end: float) -> float:
    return round(1000 * (end - begin), 1)
