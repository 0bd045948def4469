"""What the tests of the pages start from: documents, answers, and a page in the browser of a stranger."""

import hashlib

import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot import conversations, db, jobs, ledger
from bot.records import Answer, Chunk, Citation, Indexed, Meta, Passage, Sighting, Timings

TOKEN = "c" * 43
CUSTOMER = hashlib.sha256(TOKEN.encode()).hexdigest()
PASSWORD = "correct horse"
TEXT = "Anything unused may be returned within 45 days. The refund takes 5 working days."


def stranger_page(name: str) -> AppTest:
    """A staff page in a browser that has not logged in."""

    def draw(name: str) -> None:
        import importlib

        from ui import app
        from ui.edge import guarded

        with guarded():
            app.draw_for_staff(importlib.import_module(f"ui.{name}").draw_page)

    return AppTest.from_function(draw, args=(name,), default_timeout=15)


def index(
    engine: sa.Engine,
    path: str = "returns.md",
    title: str = "Returns",
    text: str = TEXT,
    meta: Meta = Meta(),  # noqa: B008 - it is frozen
    notes: tuple[str, ...] = (),
    pieces: int = 1,
    changed_at: float = 0.0,
) -> Passage:
    """A document that answers, made of one piece, or of several alike."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    ledger.observe(engine, [Sighting(path, digest, len(text), changed_at, meta)])
    (job,) = jobs.claim(engine, jobs.FAST)
    texts = [text, *(f"Piece number {number + 1}." for number in range(1, pieces))]
    chunks = [
        Chunk(f"{job.subject}-{number}", int(job.subject), number, "Refunds", 2, said, title)
        for number, said in enumerate(texts)
    ]
    ledger.store(engine, chunks)
    ledger.activate(engine, [Indexed(job, title, 3, pieces, notes, {"waited": 20.0, "read": 5.0})])
    return Passage(chunks[0].chunk_id, chunks[0].version_id, path, title, "Refunds", 2, text, 1.0)


def wait(engine: sa.Engine, path: str) -> None:
    """A document that nobody has begun to read."""
    ledger.observe(engine, [Sighting(path, "digest", 1, 0.0)])


def fail(engine: sa.Engine, path: str, error: str) -> None:
    """A document that could not be read."""
    ledger.observe(engine, [Sighting(path, "digest", 1, 0.0)])
    (job,) = jobs.claim(engine, jobs.FAST)
    with db.writing(engine) as connection:
        jobs.finish(connection, job, "failed", error)


def answer(
    passage: Passage, text: str = "You have 45 days [1].", answer_id: str = "a1", abstained: bool = False
) -> Answer:
    """An answer that stands on one passage."""
    citation = Citation(
        1, passage.document, passage.title, 2, "Refunds", passage.text[:47], passage.chunk_id, passage.version_id
    )
    return Answer(
        answer_id=answer_id,
        question="How long do I have?",
        text=text,
        abstained=abstained,
        quoted=False,
        citations=() if abstained else (citation,),
        passages=(passage,),
        dropped=(),
        model="small",
        adapter="style-v1",
        prompt="answer",
        parameters={},
        timings_ms=Timings(200.0, 900.0, 3_200.0),
    )


def told(engine: sa.Engine, given: Answer, customer: str = CUSTOMER) -> str:
    """Keep an answer in a conversation of its own and return the conversation's id."""
    conversation_id = conversations.start(engine, customer)
    conversations.keep(engine, given, conversation_id)
    return conversation_id


def shown(page: AppTest) -> str:
    """All the HTML that a page draws."""
    return "\n".join(element.proto.body for element in page.get("html"))
