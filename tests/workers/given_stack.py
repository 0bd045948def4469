"""What the tests of faults start from and end with: files dropped into a whole Frontdesk, and every one of them in its
right place afterwards, once."""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bot import consult, db, documents, jobs, retrieve
from bot.errors import FrontdeskError
from bot.records import Document, Job
from ingest import reconcile
from tests.full_stack import Stack, wait_until

# Generous, for a machine that does other things as well; what is awaited mostly comes within a few seconds.
PATIENCE_SECONDS = 180
FIRST = "# The lighthouse\n\nThe lighthouse of Quill Island is 31 metres high.\n"
GARDEN = "bench fern gate hedge ivy lawn moss nettle orchard path quince rose shed terrace urn vine well yew".split()


@dataclass(frozen=True)
class Indexing:
    """How a file was worked on: its versions, and how often the work on the newest was begun."""

    state: str
    versions: int
    attempts: int


def before_the_start(data: Path) -> Path:
    """A data folder whose inbox holds a file, which keeps the sample company away."""
    (data / "inbox").mkdir()
    (data / "inbox" / "lighthouse.md").write_text(FIRST)
    return data


def drop(stack: Stack, path: str, text: str) -> Path:
    """Write a file into the inbox."""
    place = stack.inbox / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def note(name: str, number: object) -> str:
    """A short file that says one thing."""
    return f"# Locker {name}\n\nThe code of locker {name} is {number}.\n"


def manual(edition: str, entries: int = 500) -> str:
    """A long file, in which each entry says of which edition it is: about 0.65 chunks and 300 bytes an entry."""
    return f"# Garden manual\n\n{''.join(_entry(edition, n) for n in range(entries))}"


def _entry(edition: str, n: int) -> str:
    one, two, three = (GARDEN[n // step % len(GARDEN)] for step in (1, 18, 324))
    return (
        f"Entry {n} of the {edition} edition: the {one} beside the {two} is looked after by gardener {n * 7 % 101}, "
        f"who weighs what grows there in week {n % 52} and notes it in the {three} book. The {edition} edition wants "
        f"{n * 13 % 997} grams of seed for the {one}, and asks that nobody waters the {two} before noon.\n\n"
    )


def find(stack: Stack, path: str) -> Document | None:
    """The document of a file that is in the folder, or None while nobody has noticed it."""
    return next((one for one in documents.listing(stack.desk.database, sought=path) if one.path == path), None)


def state(stack: Stack, path: str) -> str:
    """How far a file has come; empty while nobody has noticed it."""
    document = find(stack, path)
    return document.state if document else ""


def indexing(stack: Stack, path: str) -> Indexing:
    """How a file was worked on until now."""
    return Indexing(state(stack, path), len(version_ids(stack, path)), job(stack, path).attempts)


def job(stack: Stack, path: str) -> Job:
    """The job of a file's newest version."""
    newest = str(version_ids(stack, path)[-1])
    query = sa.select(db.jobs.c.job_id).where(db.jobs.c.kind == "ingest", db.jobs.c.subject == newest)
    ((job_id,),) = db.rows(stack.desk.database, query)
    found = jobs.find(stack.desk.database, job_id)
    assert found
    return found


def version_ids(stack: Stack, path: str) -> list[int]:
    """Every version that a file ever had, the oldest first."""
    query = sa.select(db.versions.c.version_id).join(db.documents).where(db.documents.c.path == path)
    return [row.version_id for row in db.rows(stack.desk.database, query.order_by(db.versions.c.version_id))]


def indexed(stack: Stack) -> int:
    """How many documents are indexed."""
    return documents.count_by_state(stack.desk.database).get("indexed", 0)


def answers(stack: Stack, question: str = "How high is the lighthouse of Quill Island?", words: str = "31") -> bool:
    """Whether a question is answered in these words, with a citation."""
    try:
        answer = consult.ask(stack.desk, question)
    except FrontdeskError:
        return False  # something is on its way up
    return words in answer.text and bool(answer.citations)


def seen_versions(stack: Stack, path: str, question: str) -> set[int]:
    """The versions of a file that a search brings up."""
    return {one.version_id for one in retrieve.search(stack.desk, question, 10) if one.document == path}


def proofs(stack: Stack, path: str) -> list[str]:
    """What the probes for the texts of a file's deleted versions found."""
    return [found for _, _, found in documents.proofs(stack.desk.database, path)]


def differs(stack: Stack) -> bool:
    """Whether folder, ledger, chunk table, lexical index and Chroma disagree, or cannot be compared yet."""
    try:
        return reconcile.verify(stack.desk).any
    except FrontdeskError:
        return True


def in_order(stack: Stack, seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until all work is done; return whether nothing differs then."""
    wait_until(lambda: documents.progress(stack.desk.database).waiting == 0, seconds)
    wait_until(lambda: not differs(stack), seconds)
    return True
