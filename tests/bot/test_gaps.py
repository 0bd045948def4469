"""What the documents do not say is counted, and closed by the document that says it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from bot import conversations, db, gaps, jobs, retries
from bot.desk import Desk, open_desk
from bot.errors import ModelUnavailable
from bot.records import Answer, Meta, Nearby, Passage
from tests.ingest.given_inbox import FERRY, take_in
from tests.ui.given_pages import answer, index, told
from workers import running, sweeping

MODEL = "all-minilm-l6-v2"
PASSAGE = Passage("c1", 1, "returns.md", "Returns", "", None, "You have 45 days.", 1.0)
PARKING = [1.0, 0.0, 0.0]
NEAR_PARKING = [0.9, 0.4, 0.1]
STUDENTS = [0.0, 1.0, 0.0]
FERRIES = "When does the ferry to Quill Island leave?"


def a_gap(
    engine: sa.Engine, question: str, vector: Sequence[float] = PARKING, collection: str = "", nearby: str = ""
) -> Answer:
    """A question that got no answer."""
    near = (Nearby(nearby, "Title", "Heading"),) if nearby else ()
    given = replace(answer(PASSAGE, "No.", question[:32], abstained=True), question=question, nearby=near)
    told(engine, given)
    gaps.record(engine, given, vector, MODEL, collection)
    return given


def test_questions_that_ask_the_same_are_one_gap_and_the_most_asked_comes_first(engine: sa.Engine) -> None:
    a_gap(engine, "Is there a student discount?", STUDENTS)
    for number, vector in enumerate((PARKING, NEAR_PARKING, PARKING)):
        a_gap(engine, f"Where can I park {number}?", vector)
    first, second = gaps.clusters(engine)
    assert (first.count, second.count) == (3, 1)
    assert first.question in ("Where can I park 0?", "Where can I park 2?")
    assert set(first.questions) == {f"Where can I park {number}?" for number in range(3)}
    assert first.first_asked <= first.last_asked
    assert gaps.count_open(engine) == 4


def test_an_answer_is_one_gap_however_often_it_is_recorded(engine: sa.Engine) -> None:
    given = a_gap(engine, "Where can I park?")
    gaps.record(engine, given, PARKING, MODEL)
    assert gaps.count_open(engine) == 1


def test_the_same_words_about_two_folders_are_two_gaps(engine: sa.Engine) -> None:
    a_gap(engine, "How heavy is it?", collection="stoves")
    a_gap(engine, "How heavy is it, then?", collection="tents")
    assert [cluster.collection for cluster in gaps.clusters(engine)] == ["tents", "stoves"]


def test_a_gap_belongs_to_who_owns_most_of_its_folder(engine: sa.Engine) -> None:
    for name, owner in (("tents/a.md", "Ann"), ("tents/b.md", "Ann"), ("tents/c.md", "Ben"), ("stoves/d.md", "Eve")):
        index(engine, name, text=name, meta=Meta(owner=owner))
    a_gap(engine, "How heavy is the tent?", collection="tents")
    a_gap(engine, "How old is the shop?", STUDENTS, nearby="stoves/d.md")
    a_gap(engine, "Who are you?", [0.0, 0.0, 1.0])
    owners = {cluster.question: cluster.owner for cluster in gaps.clusters(engine)}
    assert owners == {"How heavy is the tent?": "Ann", "How old is the shop?": "Eve", "Who are you?": ""}


def test_a_gap_is_asked_again_only_when_a_document_of_its_folder_came_after_it(engine: sa.Engine) -> None:
    index(engine, "tents/old.md")
    a_gap(engine, "How heavy is the tent?", collection="tents")
    a_gap(engine, "Where can I park?")
    with db.writing(engine) as connection:  # the answers that they got took no time
        connection.execute(sa.update(db.gaps).values(tried_at=db.now()))
    assert retries.due(engine) == []
    index(engine, "stoves/new.md")
    assert [gap.question for gap in retries.due(engine)] == ["Where can I park?"]
    index(engine, "tents/new.md")
    assert len(retries.due(engine)) == 2


def test_a_document_that_becomes_valid_is_a_new_one(engine: sa.Engine) -> None:
    index(engine, "winter.md", meta=Meta(valid_from=4e9))
    a_gap(engine, "Where can I park?")
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.gaps).values(tried_at=db.now()))
    assert retries.due(engine) == []
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.gaps).values(tried_at=db.now() - 60))
        connection.execute(sa.update(db.documents).values(valid_from=db.now() - 30))
        connection.execute(sa.update(db.versions).values(indexed_at=db.now() - 90))
    assert [gap.question for gap in retries.due(engine)] == ["Where can I park?"]


def test_two_schedules_queue_one_run(engine: sa.Engine) -> None:
    assert retries.request(engine, MODEL) == []
    a_gap(engine, "Where can I park?")
    gaps.ask_again(engine, [gap.gap_id for gap in gaps.waiting(engine)])
    assert retries.request(engine, MODEL) == [jobs.BULK]
    assert retries.request(engine, MODEL) == []
    assert jobs.count_by_state(engine) == {"queued": 1}


def test_a_closed_gap_stays_closed(engine: sa.Engine) -> None:
    a_gap(engine, "Where can I park?")
    (gap,) = gaps.waiting(engine)
    gaps.close(engine, [gap.gap_id], "ann")
    assert not gaps.close_with(engine, gap, "parking.md", "a2")
    assert gaps.clusters(engine) == []
    assert [(one.closed_by, one.closing_answer_id) for one in gaps.closed(engine)] == [("ann", None)]


def asked_again(engine: sa.Engine) -> list[str]:
    """What was put to the model outside of any conversation."""
    query = sa.select(db.answers.c.question).where(db.answers.c.conversation_id.is_(None))
    return [row.question for row in db.rows(engine, query)]


def gap_of(desk: Desk, question: str) -> None:
    vector = desk.embeddings.embed_query(question)
    a_gap(desk.database, question, vector)


def test_a_new_document_closes_the_gap_that_it_answers_and_is_named(desk: Desk) -> None:
    gap_of(desk, FERRIES)
    gap_of(desk, "Do you sell bicycles?")
    take_in(desk, ferries=FERRY)
    sweeping.look_at_gaps(desk)
    running.work(jobs.BULK, {"gaps": sweeping.answer_gaps}, desk)
    (closed,) = gaps.closed(desk.database)
    assert (closed.question, closed.closed_by) == (FERRIES, "ferries.md")
    assert closed.closing_answer_id is not None
    assert "7:45" in conversations.answer(desk.database, closed.closing_answer_id).text
    assert [cluster.question for cluster in gaps.clusters(desk.database)] == ["Do you sell bicycles?"]
    assert jobs.latest(desk.database, retries.JOB).state == "done"  # type: ignore[union-attr]  # there is one
    assert retries.request(desk.database, desk.embedding_model) == []


def test_the_model_is_asked_only_what_the_new_document_may_answer_or_a_person_wants(desk: Desk) -> None:
    gap_of(desk, FERRIES)
    gap_of(desk, "Do you sell bicycles?")
    take_in(desk, moths="# Moths\n\nFreeze the blanket for two days to kill the eggs of moths.\n")
    assert retries.run(desk) == [] and retries.due(desk.database) == []
    assert asked_again(desk.database) == []
    bicycles = next(gap for gap in gaps.waiting(desk.database) if "bicycles" in gap.question)
    gaps.ask_again(desk.database, [bicycles.gap_id])
    assert retries.run(desk) == [] and retries.due(desk.database) == []
    assert asked_again(desk.database) == ["Do you sell bicycles?"]
    assert gaps.count_open(desk.database) == 2


def test_while_the_model_is_down_gaps_stay_due(desk: Desk) -> None:
    gap_of(desk, FERRIES)
    take_in(desk, ferries=FERRY)
    (due,) = retries.due(desk.database)
    settings = desk.settings.model_copy(update={"model_url": "http://127.0.0.1:9"})
    lost = replace(open_desk(settings), database=desk.database)
    with pytest.raises(ModelUnavailable):
        retries.run(lost)
    assert retries.due(desk.database) == [due]
