"""What an operator can do, and what the figures say."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from given_pages import answer, index, shown, told
from streamlit.testing.v1 import AppTest

from bot import adapters, db, jobs
from ui.insights import by_voice, summarise

REPORT = {
    "passed": True,
    "checks": [{"name": "style_distance", "before": 0.4, "after": 0.2, "passed": True, "better": "lower"}],
    "samples": [{"question": "How much?", "before": "It costs 5.", "after": "<b>Happy</b> to help: 5."}],
}
META = {
    "rows": {"train": 41, "held_out": 7},
    "epochs": 4,
    "seconds": 30,
    "curve": [{"step": 1, "loss": 2.0}, {"step": 1, "held_out": 2.2}],
}


def register(engine: sa.Engine, name: str, state: Any = "candidate", meta: Any = META, report: Any = REPORT) -> None:
    with db.writing(engine) as connection:
        adapters.register(connection, name, "/x", base="small", meta=meta, report=report, state=state)


def test_the_base_model_speaks_until_a_version_does(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    assert "The base model speaks" in staff_page("adapters").run().info[0].value


def test_a_version_is_promoted_after_it_was_confirmed(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    register(engine, "style-v1")
    page = staff_page("adapters").run()
    page.button(key="promote-style-v1").click().run()
    assert adapters.active(engine) is None
    page.button(key="confirm-promote").click().run()
    speaking = adapters.active(engine)
    assert speaking and speaking.name == "style-v1"


def test_rolling_back_returns_to_the_version_before(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    for name in ("style-v1", "style-v2"):
        register(engine, name)
        adapters.activate(engine, name)
    page = staff_page("adapters").run()
    assert page.subheader[0].value == r"style\-v2"
    page.button(key="roll-back").click().run()
    page.button(key="confirm-roll-back").click().run()
    speaking = adapters.active(engine)
    assert speaking and speaking.name == "style-v1"


def test_a_version_that_did_not_pass_cannot_be_promoted(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    register(engine, "style-v1", "rejected")
    with pytest.raises(KeyError):
        staff_page("adapters").run().button(key="promote-style-v1")


def test_a_version_shows_its_report_and_its_samples_as_text(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    register(engine, "style-v1")
    page = staff_page("adapters").run()
    assert page.table[0].value.iloc[0].tolist() == ["style distance", "0.4", "0.2", "lower", "passed"]
    assert "&lt;b&gt;Happy&lt;/b&gt; to help" in shown(page)


def test_a_version_with_little_on_record_is_still_drawn(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    register(engine, "style-v1", meta={}, report={})
    page = staff_page("adapters").run()
    assert not page.exception and not page.error
    assert "No training curve was recorded." in [caption.value for caption in page.caption]


def test_training_is_asked_for_once_and_shows_how_far_it_is(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    page = staff_page("adapters").run()
    page.button(key="train-now").click().run()
    job = jobs.latest(engine, "train")
    assert job and job.state == "queued"
    assert page.button(key="train-now").disabled


def test_a_failed_training_says_why(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    with db.writing(engine) as connection:
        jobs.enqueue(connection, "train", "rows", jobs.GPU)
    (job,) = jobs.claim(engine, jobs.GPU)
    with db.writing(engine) as connection:
        jobs.finish(connection, job, "failed", "There are 2 rows, and 4 are needed.")
    assert "There are 2 rows" in staff_page("adapters").run().error[0].value


def test_the_figures_count_answers_gaps_and_thumbs(engine: sa.Engine) -> None:
    passage = index(engine)
    given = [answer(passage, answer_id="a"), answer(passage, answer_id="b"), answer(passage, "", "c", abstained=True)]
    summary = summarise(given, {"a": 1, "b": 0, "of another day": 1})
    assert (summary.answers, summary.abstained, summary.quoted) == (3, 1, 0)
    assert (summary.rated, summary.liked, summary.total_ms) == (2, 1, 3_200.0)
    assert {name: len(answers) for name, answers in by_voice(given).items()} == {"style-v1": 3}


def test_questions_without_an_answer_are_counted(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    told(engine, answer(index(engine), "I could not find that.", abstained=True))
    page = staff_page("insights").run()
    assert page.metric[1].value == "100 %"
