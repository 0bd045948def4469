"""Runs are kept whole, found again, compared question by question and written down."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.errors import EvaluationRefused
from bot.quality import answers, comparison, outcomes, report, runs
from bot.quality.outcomes import Outcome
from bot.quality.runs import Run
from tests.quality.given_answers import asked, desk_of, indexed, outcome, said, silence, silent

PINS = {"data": "d1", "model": "small", "adapter": "style-v1", "prompt": "answer@1", "seed": 1}


def keep(engine: sa.Engine, *made: Outcome, title: str = "", pins: dict[str, Any] = PINS, kind: str = "answers") -> Run:
    rows = [outcomes.row(one) for one in made]
    number = runs.keep(engine, kind, title, pins, {"figures": {"f1": made[0].f1}, "rows": rows})
    return runs.find(engine, number)


def test_a_run_is_kept_with_its_pins_and_every_question(engine: sa.Engine) -> None:
    passage = indexed(engine)
    measured = answers.report(
        desk_of(engine),
        [asked("How long?", "45 days", number="1"), asked("Who won?", number="2")],
        [said(passage, "Within 45 days [1]."), silence(passage)],
    )
    number = runs.keep(engine, "answers", "first", PINS, answers.kept(measured))
    run = runs.find(engine, number)
    assert tuple(comparison.of(run)) == measured.outcomes
    assert run.figures == measured.figures() and run.pins["adapter"] == "style-v1"
    assert run.pins["version"].startswith("0.") and "+" in run.pins["version"]


def test_the_list_is_newest_first_and_carries_no_rows(engine: sa.Engine) -> None:
    keep(engine, outcome(), title="one")
    keep(engine, outcome(), title="two", kind="consistency")
    assert [run.title for run in runs.listing(engine)] == ["two", "one"]
    (run,) = runs.listing(engine, "answers")
    assert run.figures == {"f1": 0.8} and "rows" not in run.report


def test_a_run_that_was_not_kept_is_refused_by_name(engine: sa.Engine) -> None:
    with pytest.raises(EvaluationRefused, match="No evaluation 7"):
        runs.find(engine, 7)


def test_a_trend_is_drawn_only_through_runs_over_the_same_data(engine: sa.Engine) -> None:
    first = keep(engine, outcome())
    keep(engine, outcome(), pins={**PINS, "data": "d2"})
    last = keep(engine, outcome(), pins={**PINS, "adapter": "style-v2"})
    assert [run.number for run in runs.alike(last, runs.listing(engine))] == [first.number, last.number]


def test_a_clear_gain_is_called_better_and_an_unclear_one_is_not(engine: sa.Engine) -> None:
    numbers = [str(number) for number in range(40)]
    before = keep(engine, *(silent(number) for number in numbers))
    after = keep(engine, *(outcome(number) if int(number) % 2 else silent(number) for number in numbers))
    nearly = keep(engine, *(outcome(number) if number == "3" else silent(number) for number in numbers))
    changes = {one.name: one for one in comparison.compare(before, after).measures}
    assert changes["answered"].verdict == "better" and changes["answered"].difference.low > 0.3
    assert {one.name: one for one in comparison.compare(after, before).measures}["f1"].verdict == "worse"
    assert {one.name: one for one in comparison.compare(before, nearly).measures}["f1"].verdict == "no clear difference"
    kinds = {one.name: one for one in comparison.compare(before, after).mistakes}
    assert kinds["needless_abstention"].verdict == "better"


def test_only_questions_of_both_runs_are_compared_and_the_worst_change_comes_first(engine: sa.Engine) -> None:
    before = keep(engine, outcome("1"), outcome("2"), outcome("3"), outcome("only before"))
    after = keep(engine, outcome("1"), outcome("2", f1=0.5, text="Some days [1]."), silent("3"))
    compared = comparison.compare(before, after)
    assert compared.questions == 3
    assert [new.question_id for _, new in compared.changed] == ["3", "2"]


def test_runs_that_have_nothing_in_common_are_not_compared(engine: sa.Engine) -> None:
    one, other = keep(engine, outcome("1")), keep(engine, outcome("2"))
    with pytest.raises(EvaluationRefused, match="no question in common"):
        comparison.compare(one, other)
    with pytest.raises(EvaluationRefused, match="choose two of one kind"):
        comparison.compare(one, keep(engine, outcome("1"), kind="consistency"))


def test_runs_without_questions_are_compared_by_their_figures(engine: sa.Engine) -> None:
    one, other = (
        runs.find(engine, runs.keep(engine, "retrieval", "", {}, {"figures": {"recall": share}}))
        for share in (0.5, 0.7)
    )
    (change,) = comparison.compare(one, other).measures
    assert (change.before, change.after, change.verdict) == (0.5, 0.7, "no clear difference")
    assert "+0.2" in report.comparison_markdown(comparison.compare(one, other))


def test_the_report_shows_measures_mistakes_examples_and_trend(engine: sa.Engine) -> None:
    passage = indexed(engine)
    questions = [asked("How | long?", "45 days", number="1"), asked("Who won?", number="2")]
    for given in (silence(passage), said(passage, "Within 45 days [1].")):
        kept = answers.kept(answers.report(desk_of(engine), questions, [given, given]))
        number = runs.keep(engine, "answers", "<b>bold</b>", PINS, json.loads(json.dumps(kept)))
    run = runs.find(engine, number)
    text = report.markdown(run, runs.alike(run, runs.listing(engine)))
    assert "| Answerable, answered | 100.0 % | 100.0 % to 100.0 % | 1 |" in text
    assert "### Missed abstention\n\n- “Who won?” — said: “Within 45 days \\[1\\].”" in text
    assert "\\<b\\>bold" in text and "## Trend" in text
    other = report.comparison_markdown(comparison.compare(runs.find(engine, 1), run))
    assert "How \\| long?" in other and "## 2 questions answered otherwise" in other


def test_the_commands_list_report_and_compare_kept_runs(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ingest import comparing

    monkeypatch.setenv("FRONTDESK_DATABASE_URL", f"sqlite:///{tmp_path / 'records.sqlite'}")
    first, second = keep(engine, outcome("1"), title="one"), keep(engine, silent("1"), title="two")
    comparing.eval_list(as_json=True)
    assert [run["title"] for run in json.loads(capsys.readouterr().out)["runs"]] == ["two", "one"]
    comparing.eval_report(first.number, out=tmp_path / "report.md")
    assert "# 1 · one" in (tmp_path / "report.md").read_text()
    capsys.readouterr()
    comparing.eval_compare(first.number, second.number, as_json=True)
    compared = json.loads(capsys.readouterr().out)
    assert compared["questions"] == 1 and compared["changed"][0]["after"]["abstained"]
