"""What the tests of the measures start from: a desk with one document, questions about it, and answers to them."""

import hashlib
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from langchain_core.embeddings import Embeddings

from bot import jobs, ledger
from bot.desk import Desk
from bot.knowledge import Collections
from bot.quality.outcomes import Outcome
from bot.records import Answer, Chunk, Citation, Indexed, Passage, Question, Sighting, Timings
from bot.settings import load_settings

TEXT = "Anything unused may be returned within 45 days. The refund takes 5 working days."


class OneDirection(Embeddings):
    """Embeddings in which no two texts are nearer than others, so that only words decide."""

    def embed_query(self, text: str) -> list[float]:
        axis = int(hashlib.sha256(text.encode()).hexdigest(), 16) % 512
        return [float(place == axis) for place in range(512)]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


def desk_of(engine: sa.Engine) -> Desk:
    """A desk that answers from what the records hold."""
    return Desk(load_settings(), engine, Collections("http://127.0.0.1:1", lambda _: OneDirection()))


def indexed(engine: sa.Engine, path: str = "returns.md", text: str = TEXT) -> Passage:
    """A document in use, made of one piece."""
    ledger.observe(engine, [Sighting(path, hashlib.sha256(text.encode()).hexdigest(), len(text), 0.0)])
    (job,) = jobs.claim(engine, jobs.FAST)
    chunk = Chunk(f"{job.subject}-0", int(job.subject), 0, "Refunds", None, text, "Returns")
    ledger.store(engine, [chunk])
    ledger.activate(engine, [Indexed(job, "Returns", None, 1, (), {})])
    return Passage(chunk.chunk_id, chunk.version_id, path, "Returns", "Refunds", None, text, 1.0)


def asked(
    text: str = "How long do I have?", *answers: str, number: str = "q1", document: str = "returns.md"
) -> Question:
    """A question; without right answers it has none in the documents."""
    return Question(number, text, answers, (document,) if answers else (), bool(answers))


def said(passage: Passage, text: str, quote: str = "", **changes: Any) -> Answer:
    """An answer that cites one passage."""
    citation = Citation(
        1, passage.document, "Returns", None, "Refunds", quote or passage.text, passage.chunk_id, passage.version_id
    )
    answer = Answer(
        answer_id="a",
        question="",
        text=text,
        abstained=False,
        quoted=False,
        citations=(citation,),
        passages=(passage,),
        dropped=(),
        model="small",
        adapter=None,
        prompt="answer@1",
        parameters={"evidence": 0.8},
        timings_ms=Timings(100.0, 500.0, 2_000.0),
    )
    return replace(answer, **changes)


def silence(passage: Passage) -> Answer:
    """An abstention."""
    return said(passage, "I could not find that in our documents.", abstained=True, citations=())


def outcome(number: str = "q1", **changes: Any) -> Outcome:
    """What came of a question that was answered rightly."""
    right: dict[str, Any] = {
        "question_id": number,
        "question": f"Question {number}?",
        "answerable": True,
        "wanted": ("returns.md",),
        "gold": "45 days",
        "gold_words": 2,
        "group": number,
        "text": "You have 45 days [1].",
        "abstained": False,
        "quoted": False,
        "cited": ("returns.md",),
        "found": True,
        "holds": True,
        "within_reach": True,
        "f1": 0.8,
        "span_recall": 1.0,
        "words": 4,
        "sentences": 1,
        "supported": 1,
        "dropped": (),
        "misspelt": (),
        "repeated": "",
        "evidence": 0.9,
        "similarity": 0.6,
        "retrieve_ms": 100.0,
        "first_token_ms": 500.0,
        "first_sentence_ms": 900.0,
        "total_ms": 2_000.0,
        "key_f1": None,
    }
    return Outcome(**{**right, **changes})


def silent(number: str = "q1", **changes: Any) -> Outcome:
    """What came of a question that was not answered."""
    nothing = {"abstained": True, "cited": (), "holds": False, "f1": 0.0, "span_recall": 0.0, "words": 0}
    return outcome(number, **{**nothing, "sentences": 0, "supported": 0, "text": "I could not find that.", **changes})
