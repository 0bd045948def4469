"""A kept answer is made again token for token, or it is said exactly what has changed since."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from bot import consult, conversations, db, jobs, ledger, printing, prompts
from bot.desk import Desk, open_desk
from bot.errors import NotAllowed
from bot.records import Answer, Chunk, Citation, Indexed, Passage, Sighting, Timings, Turn
from bot.replay import Difference, Replay, heard_before, origins, replay
from bot.settings import Settings, load_settings
from ingest import scratch

QUESTION = "How long may unused goods be returned?"
OFF_TOPIC = "Who won the football on Saturday?"  # asked again, it costs no words of the model
RETURNS = "Unused goods may be returned within 45 days."
ABSTAINED = {"abstained": True, "said": "", "messages": (), "dropped": ()}
GIFTS = "A gift card is valid for three years."


@pytest.fixture(scope="module")
def library(servers: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Two documents, and a model that says few words."""
    changes = {"data_dir": tmp_path_factory.mktemp("replay"), "max_answer_tokens": 8}
    texts = [("returns.md", "Returns", RETURNS), ("gifts.md", "Gift cards", GIFTS)]
    with scratch.library(open_desk(servers.model_copy(update=changes)), scratch.from_texts(texts)) as desk:
        yield desk


@pytest.fixture(scope="module")
def given(library: Desk) -> Answer:
    """An answer as a customer got it."""
    return consult.ask(library, QUESTION)


@pytest.fixture(scope="module")
def made(library: Desk, given: Answer) -> Replay:
    """The same answer, made again with nothing changed."""
    return replay(library, given.answer_id)


def kept(library: Desk, given: Answer, **changes: Any) -> str:
    """Another answer, kept like this one but for the changes and, where no other is given, its question."""
    answer_id = secrets.token_hex(16)
    changed = replace(given, **{"answer_id": answer_id, "question": OFF_TOPIC, **changes})
    conversations.keep(library.database, changed, None)
    return answer_id


def test_an_answer_is_made_again_token_for_token(given: Answer, made: Replay) -> None:
    assert given.said and given.messages
    assert made.identical and made.again == given.said and made.same_now
    assert made.changes == ()
    assert {(one.document, one.fate) for one in made.documents} >= {("returns.md", "active")}


def test_words_that_the_base_said_for_a_style_are_asked_of_the_base(library: Desk, given: Answer) -> None:
    changes = {"adapter": "style-v9", "parameters": {**given.parameters, "said_by": "base"}}
    assert replay(library, kept(library, given, **changes)).identical


def test_where_the_words_part_the_first_difference_is_named(library: Desk, given: Answer) -> None:
    first, *rest = given.said.split(" ")
    made = replay(library, kept(library, given, said=" ".join([first, "otherwise", *rest[1:]])))
    assert made.identical is False and made.difference
    assert made.difference.words == 1 and made.difference.then.startswith("otherwise")
    assert made.difference.again.startswith(rest[0])


def test_words_that_go_on_where_they_once_ended_are_a_difference(library: Desk, given: Answer) -> None:
    made = replay(library, kept(library, given, said=given.said.rpartition(" ")[0], quoted=True, dropped=[]))
    assert made.identical is False and made.difference and made.difference.then == ""


def test_what_an_answer_was_made_with_is_compared_with_what_is_used_now(library: Desk, given: Answer) -> None:
    edit = prompts.save(library.database, "answer", prompts.shipped("answer").content.replace("short", "brief"), "ann")
    prompts.choose(library.database, edit.version)
    needed = given.parameters["evidence_threshold"]
    old = {**given.parameters, "evidence_threshold": 1.25, "flavour": "mild"}
    other = replace(given.passages[0], text="Goods cannot be returned.")
    try:
        made = replay(library, kept(library, given, question=QUESTION, parameters=old, passages=(other,)))
    finally:
        prompts.back_to_shipped(library.database, "answer")
    said = " ".join(made.changes)
    assert made.identical
    assert f"The prompt was {given.prompt} and is {edit.version} now." in made.changes
    assert f"Evidence threshold was 1.25 and is {needed} now." in made.changes
    assert "Flavour was mild and is not kept now." in made.changes
    assert "no longer finds “Returns” (returns.md: “Goods cannot be returned. …”)" in said
    assert "now also finds “Returns” (returns.md: “Unused goods may be returned within 45 days." in said


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"adapter": "style-v9"}, "cannot be made again with the adapter style-v9: There is no adapter 'style-v9'"),
        ({"model": "larger"}, "the model 'larger' is not served; there is " + load_settings().model),
        ({"messages": ()}, "kept without the prompt as it was sent"),
        ({"pin": 3, "said": "", "messages": ()}, "the approved answer 3, given word for word"),
        ({"declined": True, "abstained": True, "said": "", "messages": ()}, "declined as not for this desk"),
        (
            {**ABSTAINED, "parameters": {"evidence": 0.3, "evidence_threshold": 0.5}},
            "did not answer the question (evidence 0.3, of 0.5 that is needed)",
        ),
    ],
)
def test_where_the_words_cannot_be_made_again_it_says_why(
    library: Desk, given: Answer, changes: dict[str, Any], sentence: str
) -> None:
    made = replay(library, kept(library, given, **changes))
    assert made.identical is None and made.again is None
    assert sentence in made.why_not


def test_an_answer_that_does_not_exist_is_named(library: Desk) -> None:
    with pytest.raises(NotAllowed, match="nowhere"):
        replay(library, "nowhere")


def test_the_command_says_identical_or_what_differs(made: Replay, capsys: pytest.CaptureFixture[str]) -> None:
    printing.replay(made, as_json=False)
    assert "Identical, token for token." in capsys.readouterr().out
    printing.replay(replace(made, difference=Difference(1, "45", "90")), as_json=False)
    assert "The words part after 1 that are the same: then “45”, again “90”." in capsys.readouterr().out
    printing.replay(made, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed["identical"] is True and printed["documents"][0]["fate"] == "active"


def ingest(engine: sa.Engine, path: str, text: str, digest: str) -> Passage:
    """A document that answers, in its newest version."""
    ledger.observe(engine, [Sighting(path, digest, len(text), 0.0)])
    (job,) = jobs.claim(engine, jobs.FAST)
    chunk = Chunk(f"{path}-{job.subject}", int(job.subject), 0, "", None, text, "Returns")
    ledger.store(engine, [chunk])
    ledger.activate(engine, [Indexed(job, "Returns", None, 1, (), {})])
    return Passage(chunk.chunk_id, chunk.version_id, path, "Returns", "", None, text, 1.0)


def fates(engine: sa.Engine, *passages: Passage) -> list[str]:
    """What became of what an answer was made from."""
    return [origin.fate for origin in origins(engine, answer_from(*passages))]


def answer_from(*passages: Passage) -> Answer:
    """An answer that cites the first of these passages."""
    first = passages[0]
    citation = Citation(1, first.document, first.title, None, "", first.text, first.chunk_id, first.version_id)
    timings = Timings(1, 2, 3)
    return Answer("a1", QUESTION, "45 days [1].", False, False, (citation,), passages, (), "m", None, "p", {}, timings)


def test_an_updated_document_is_told_from_one_that_was_only_read_anew(engine: sa.Engine) -> None:
    passage = ingest(engine, "returns.md", RETURNS, "first")
    assert fates(engine, passage) == ["active"]
    ingest(engine, "returns.md", "Goods may be returned within 30 days.", "second")
    assert fates(engine, passage) == ["updated"]
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.versions).values(digest="first"))
    assert fates(engine, passage) == ["reread"]


def test_a_removed_an_expired_and_an_unknown_document_are_told_apart(engine: sa.Engine) -> None:
    removed, expired = ingest(engine, "returns.md", RETURNS, "one"), ingest(engine, "gifts.md", GIFTS, "two")
    ledger.tombstone(engine, ["returns.md"])
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.documents).where(db.documents.c.path == "gifts.md").values(valid_until=1.0))
    unknown = replace(expired, document="elsewhere.md")
    assert fates(engine, removed, expired, unknown) == ["removed", "expired", "gone"]


def test_what_became_of_a_document_reads_as_a_sentence(engine: sa.Engine) -> None:
    first, other = ingest(engine, "returns.md", RETURNS, "one"), ingest(engine, "gifts.md", GIFTS, "two")
    ingest(engine, "returns.md", "Within 30 days.", "three")
    cited, found = map(str, origins(engine, answer_from(first, other)))
    today = datetime.now(UTC).strftime("%d %B %Y")
    assert cited.startswith(f"“Returns” (returns.md), which the answer cites, was updated on {today} at ")
    assert found == "“Returns” (gifts.md), which was found for it, still answers in the same version 2."


def test_a_follow_up_is_asked_again_after_what_was_said_before_it(engine: sa.Engine) -> None:
    passage = ingest(engine, "returns.md", RETURNS, "one")
    conversation = conversations.start(engine, "a customer")
    for key, question in (("a1", "May I return it?"), ("a2", "How long do I have?"), ("a3", "Thank you")):
        conversations.keep(engine, replace(answer_from(passage), answer_id=key, question=question), conversation)
    assert heard_before(engine, "a2") == (Turn("user", "May I return it?"), Turn("assistant", "45 days [1]."))
    assert heard_before(engine, "a1") == ()
