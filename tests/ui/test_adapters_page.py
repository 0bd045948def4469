"""What an operator can do, and what the figures say."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from safetensors.numpy import save_file
from streamlit.testing.v1 import AppTest

from bot import adapters, db, feedback, jobs, preferences, staff, training, voices
from bot.errors import AdapterRefused
from bot.records import Job
from bot.settings import load_settings
from tests.ui.given_pages import answer, index, shown, stranger_page, told
from ui.insights import by_voice, summarise

REPORT = {
    "passed": True,
    "checks": [
        {"name": "style_distance", "before": 0.4, "after": 0.2, "passed": True, "better": "lower"},
        {
            "name": "Style score",
            "before": 55.0,
            "after": 91.5,
            "passed": True,
            "better": "higher",
            "axis": "style",
            "low": 30.25,
            "high": 42.0,
        },
    ],
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
    rows = page.table[0].value.to_numpy().tolist()
    assert rows[0] == ["", "style distance", "0.4", "0.2", "", "lower", "passed"]
    assert rows[1] == ["Style", "Style score", "55", "91.5", "+30.2 to +42", "higher", "passed"]
    assert "&lt;b&gt;Happy&lt;/b&gt; to help" in shown(page)


def test_a_version_with_little_on_record_is_still_drawn(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    register(engine, "style-v1", meta={}, report={})
    page = staff_page("adapters").run()
    assert not page.exception and not page.error
    assert "No training curve was recorded." in [caption.value for caption in page.caption]


def test_a_version_is_tried_with_some_conversations_first(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    register(engine, "style-v1")
    page = staff_page("adapters").run()
    page.button(key="try-style-v1").click().run()
    trial = adapters.canary(engine)
    assert trial and trial.name == "style-v1"
    assert "No conversation has heard it yet." in [caption.value for caption in page.caption]
    told(engine, answer(index(engine)))
    page.run()
    assert page.table[0].value.iloc[2].tolist()[:3] == ["Left without an answer", "0 of 1", "0 of 0"]
    page.button(key="end-style-v1").click().run()
    assert adapters.canary(engine) is None
    steps = [(one.step, one.author) for one in adapters.history(engine)]
    assert steps == [("rolled back", "staff"), ("canary", "staff"), ("trained", "")]


def test_the_history_says_what_was_done_and_why(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    register(engine, "style-v1")
    adapters.activate(engine, "style-v1", "ann")
    adapters.roll_back(engine, reason="9 of 9 conversations that a <b>customer</b> rated down.")
    page = staff_page("adapters").run()
    captions = [caption.value for caption in page.caption]
    assert any("was rolled back" in caption for caption in captions)
    assert any("speaks · by ann" in caption for caption in captions)
    assert "9 of 9 conversations that a &lt;b&gt;customer&lt;/b&gt; rated down." in shown(page)


def test_an_operator_sets_how_versions_are_released(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    page = staff_page("adapters").run()
    page.select_slider(key="canary-share").set_value(0.0)
    page.select_slider(key="train-days").set_value(30)
    page.button(key="save-release-settings").click().run()
    assert voices.share(engine) == 0
    assert preferences.get(engine, preferences.TRAIN_DAYS) == 30


def test_a_folder_is_given_a_version_of_its_own(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    index(engine, "products/stoves.md")
    register(engine, "style-v1")
    page = staff_page("adapters").run()
    page.button(key="pin-voice").click().run()
    speaking = voices.speaking(engine, collection="products")
    assert speaking and speaking.name == "style-v1"
    page.button(key="unpin-products").click().run()
    assert voices.speaking(engine, collection="products") is None


def test_a_version_that_learned_what_was_erased_says_so_and_cannot_be_promoted(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    register(engine, "style-v1")
    with db.writing(engine) as connection:
        adapters.learned(connection, "style-v1", [1])
        adapters.mark_stale(connection, [1], "What it learned from was erased.")
    page = staff_page("adapters").run()
    assert "What it learned from was erased" in page.warning[0].value
    with pytest.raises(KeyError):
        page.button(key="promote-style-v1")
    with pytest.raises(AdapterRefused, match="erased"):
        adapters.activate(engine, "style-v1")


def test_the_page_says_when_the_next_training_is_due(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    assert "nothing new to learn" in shown(staff_page("adapters").run())


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


def begin(engine: sa.Engine, **progress: Any) -> Job:
    """A training on the rows as they stand, that a worker has begun."""
    with db.writing(engine) as connection:
        jobs.enqueue(connection, "train", feedback.digest(engine), jobs.GPU)
    (job,) = jobs.claim(engine, jobs.GPU)
    jobs.report(engine, job, progress)
    return job


def test_a_training_shows_its_curve_and_how_it_answers_by_now(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    curve = [{"step": 0, "held_out": 3.0}, {"step": 9, "loss": 2.0}, {"step": 10, "loss": 1.9}]
    said = [{"step": 9, "question": "How much?", "answer": "<b>Happy</b> to help."}]
    begin(engine, stage="training", step=10, steps=27, loss=1.9, curve=curve, samples=said, **{"from": 9})
    page = staff_page("adapters").run()
    captions = [caption.value for caption in page.caption]
    assert any(caption.startswith("Loss by training step") for caption in captions)
    assert "After step 9" in captions
    assert "&lt;b&gt;Happy&lt;/b&gt; to help." in shown(page)
    assert page.get("progress")[0].proto.text == "Training · step 10 of 27 · loss 1.90 · it went on from step 9"


def test_a_training_is_stopped_and_the_page_says_by_whom_and_where(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    # given a training in its second epoch
    job = begin(engine, stage="training", step=12, steps=27)
    kept = training.checkpoint(load_settings())
    kept.parent.mkdir(parents=True)
    save_file({"weights/a": np.zeros(1)}, kept, {"step": "9"})
    # when it is stopped
    page = staff_page("adapters").run()
    page.button(key="stop-training").click().run()
    # then the page says how far it was and what comes next, and nothing is left to stop
    stopped = jobs.find(engine, job.job_id)
    assert stopped and stopped.state == "stopped"
    said = r"Stopped by staff at step 12 of 27\. Training again goes on from step 9\."
    assert said in [info.value for info in page.info]
    assert not page.error
    assert page.button(key="train-now").label == "Go on"
    with pytest.raises(KeyError):
        page.button(key="stop-training")
    # and when training is asked for again, it is the same run that waits
    page.button(key="train-now").click().run()
    again = training.under_way(engine)
    assert again and again.job_id == job.job_id


def test_a_training_that_was_stopped_early_begins_anew(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    begin(engine, stage="training", step=2, steps=27)
    page = staff_page("adapters").run()
    page.button(key="stop-training").click().run()
    assert r"Stopped by staff at step 2 of 27\." in [info.value for info in page.info]
    assert page.button(key="train-now").label == "Train now"


def test_where_no_training_is_on_there_is_nothing_to_stop(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    with pytest.raises(KeyError):
        staff_page("adapters").run().button(key="stop-training")


def test_a_stranger_cannot_stop_a_training(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    job = begin(engine, stage="training", step=12, steps=27)
    with pytest.raises(KeyError):
        stranger_page("adapters").run().button(key="stop-training")
    page = staff_page("adapters").run()
    staff.reset_password(engine)  # ends every session
    page.button(key="stop-training").click().run()
    going = jobs.find(engine, job.job_id)
    assert going and going.state == "running"


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


@pytest.mark.parametrize(("new", "said"), [(12, "12 of 30 new approved rows"), (60, "60 new approved rows")])
def test_more_rows_than_a_run_needs_are_not_counted_against_it(new: int, said: str) -> None:
    def draw(new: int) -> None:
        from bot.training import Outlook
        from ui.adapters import draw_outlook

        draw_outlook(Outlook(due=False, new=new, needed=30, days=14, late_at=None, reason="soon"))

    page = AppTest.from_function(draw, args=(new,)).run()

    assert f">{said}<" in shown(page)
