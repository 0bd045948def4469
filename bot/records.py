"""The values that travel between modules: frozen, plain, and ignorant of where they are stored."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Role = Literal["user", "assistant"]


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True)
class Chunk:
    """A piece of one document version, as it is embedded and cited. `chunk_id` is the same for the same piece however
    often the version is read; `signature` tells near-duplicates (`bot.likeness`)."""

    chunk_id: str
    version_id: int
    ordinal: int
    heading: str
    page: int | None
    text: str
    title: str = ""
    signature: bytes = b""


@dataclass(frozen=True)
class Passage:
    """A chunk found for a question. `score` is the fused score: higher is better, comparable within one search.
    `section` is what stands around it under its heading, itself included; known of what an answer cites."""

    chunk_id: str
    version_id: int
    document: str
    title: str
    heading: str
    page: int | None
    text: str
    score: float
    section: str = ""

    @property
    def place(self) -> str:
        """The title and heading that the text is read under."""
        return " - ".join(part for part in (self.title, self.heading) if part)

    def placed(self, sentence: str) -> str:
        """A sentence of it as its meaning is compared: in its place. Who asks again finds its vector known."""
        return f"{self.place}: {sentence}"


@dataclass(frozen=True)
class Citation:
    """Where a sentence stands: `quote` is an exact substring of the chunk's text."""

    n: int
    document: str
    title: str
    page: int | None
    heading: str
    quote: str
    chunk_id: str
    version_id: int


@dataclass(frozen=True)
class Found:
    """The first event of a consultation: what the search brought up."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Sentence:
    """An event of a consultation: one verified sentence, ready to be shown. Its markers `[n]` name its citations, `key`
    is the words of it that answer, to be set off."""

    text: str
    citations: tuple[Citation, ...]
    key: str = ""


@dataclass(frozen=True)
class Timings:
    """Milliseconds from the arrival of the question; `first_sentence` is when the first verified one was shown, zero
    where none was."""

    retrieve: float
    first_token: float
    total: float
    first_sentence: float = 0.0


@dataclass(frozen=True)
class Nearby:
    """A document that is near to a question without answering it."""

    document: str
    title: str
    heading: str


@dataclass(frozen=True)
class Manner:
    """How a question is meant: the likelihoods, 0..1, that it is not for this desk at all, that the customer is upset,
    and that it cannot wait."""

    out_of_scope: float
    upset: float
    urgent: float


@dataclass(frozen=True)
class Answer:
    """What the customer was told, pinned to everything that it was made from (DESIGN rule 4).

    `abstained` is true of everything that is no answer; `declined` of what was not for this desk. `nearby` are the
    documents that come closest to a question without an answer. `pin` is the approved answer that was given word for
    word. `messages` is the prompt as it was sent (`{role, content}`), `said` what the model made of it. `keys` are the
    words that answer, one entry a sentence, empty where it has none; no entry where no sentence has any.
    """

    answer_id: str
    question: str
    text: str
    abstained: bool
    quoted: bool
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    dropped: tuple[str, ...]
    model: str
    adapter: str | None
    prompt: str
    parameters: dict[str, Any]
    timings_ms: Timings
    declined: bool = False
    nearby: tuple[Nearby, ...] = ()
    offers_person: bool = False
    manner: Manner | None = None
    pin: int | None = None
    messages: tuple[dict[str, str], ...] = ()
    said: str = ""
    keys: tuple[str, ...] = ()

    def opened(self, citation: Citation) -> str:
        """What a customer reads who opens a citation: the section, where it is known."""
        cited = (one for one in self.passages if one.chunk_id == citation.chunk_id)
        return next((one.section or one.text for one in cited), citation.quote)


@dataclass(frozen=True)
class Meta:
    """What a `.meta.yaml` says about a document: whose it is, and from when until when (seconds since 1970) it answers.
    `problem` is a sentence where the file cannot be understood."""

    owner: str = ""
    valid_from: float | None = None
    valid_until: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Sighting:
    """A file as the watcher saw it. `changed_at` is the time of its last write or of its coming, since 1970."""

    path: str
    digest: str
    size_bytes: int
    changed_at: float
    meta: Meta = Meta()


@dataclass(frozen=True)
class Job:
    """A unit of work. The row is the truth; the Celery message only rings the bell (DESIGN rule 1)."""

    job_id: int
    kind: str
    subject: str
    lane: str
    state: str
    fence: int
    attempts: int
    error: str | None
    progress: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Indexed:
    """A version that is whole: its chunks and vectors are stored, and it waits to be switched to."""

    job: Job
    title: str
    pages: int | None
    chunks: int
    notes: tuple[str, ...]
    timings_ms: dict[str, float]


@dataclass(frozen=True)
class Index:
    """One way of cutting and embedding every document, with a Chroma collection of its own."""

    index_id: int
    collection: str
    embedding_model: str
    chunking: str
    state: Literal["live", "building", "retired", "dropped"]


DocumentState = Literal["queued", "reading", "embedding", "indexed", "failed", "quarantined", "removed"]


@dataclass(frozen=True)
class Document:
    """One file of the inbox and how far it has come. It `answers` also while a newer version of it is on its way or has
    failed. `freshness_ms` is last write to first retrievable; `timings_ms`
    says where that time went; `notes` are sentences for its owner."""

    document_id: int
    path: str
    title: str
    digest: str
    state: DocumentState
    error: str | None
    size_bytes: int
    pages: int | None
    chunks: int
    answers: bool
    freshness_ms: float | None
    timings_ms: dict[str, float]
    notes: tuple[str, ...]
    meta: Meta
    updated_at: datetime

    @property
    def collection(self) -> str:
        """The folder of the inbox that it lies in; empty for the inbox itself."""
        return self.path.rpartition("/")[0]


FeedbackState = Literal["pending", "approved", "rejected", "disputed"]
Tag = Literal["", "style", "wrong fact", "missing"]


@dataclass(frozen=True)
class Feedback:
    """A rating on its way to the training set. `rewrite` is what a reviewer wants said instead; it is `disputed` while
    as many reviewers are for it as against it. `tag` is the kind of error, `owner` who was told of a wrong fact."""

    feedback_id: int
    answer_id: str
    question: str
    answer: str
    evidence: tuple[Passage, ...]
    rating: int
    reason: str
    comment: str
    state: FeedbackState
    rewrite: str
    note: str
    reviewer: str
    adapter: str | None
    trained_in: str | None
    created_at: datetime
    assignee: str = ""
    tag: Tag = ""
    owner: str = ""


AdapterState = Literal["candidate", "canary", "active", "rejected", "retired"]


@dataclass(frozen=True)
class Adapter:
    """One immutable version of the style. `report` is what the gate measured; `curve` the loss while training; `parent`
    the version that spoke before it; `stale` says why it must not speak again, empty where it may."""

    name: str
    state: AdapterState
    path: str
    parent: str | None
    base: str
    meta: dict[str, Any]
    report: dict[str, Any]
    created_at: datetime
    activated_at: datetime | None
    canary_at: datetime | None = None
    stale: str = ""

    @property
    def curve(self) -> list[dict[str, float]]:
        """Training and held-out loss per step: `[{step, loss}, {step, held_out}]`."""
        return list(self.meta.get("curve", []))


@dataclass(frozen=True)
class Question:
    """One line of a question set (`qa.jsonl`)."""

    question_id: str
    text: str
    answers: tuple[str, ...]
    documents: tuple[str, ...]
    answerable: bool
    history: tuple[Turn, ...] = ()
