"""What the staff see of kept evaluations."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot.quality import measures, outcomes, runs
from bot.quality.outcomes import Outcome
from tests.ui.given_pages import shown

RIGHT: dict[str, Any] = {
    "question_id": "1",
    "question": "How <i>long</i>?",
    "answerable": True,
    "wanted": ("returns.md",),
    "gold": "45 days",
    "gold_words": 2,
    "group": "",
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
    "retrieve_ms": 1.0,
    "first_token_ms": 2.0,
    "first_sentence_ms": 2.5,
    "total_ms": 3.0,
}
SILENT = {"abstained": True, "text": "I could <b>not</b> find that.", "cited": (), "f1": 0.0}


def keep(engine: sa.Engine, *made: dict[str, Any], adapter: str = "style-v1") -> None:
    told = [Outcome(**{**RIGHT, "question_id": str(number), **one}) for number, one in enumerate(made)]
    found = measures.figures(told)
    report = {
        "figures": {name: one.value for name, one in found.items()},
        "intervals": {name: vars(one) for name, one in found.items()},
        "rows": [outcomes.row(one) for one in told],
    }
    pins = {"set": "sample company", "data": "d1", "questions": len(told), "adapter": adapter, "threshold": 0.5}
    runs.keep(engine, "answers", f"with [{adapter}]", pins, report)


def test_where_nothing_was_measured_the_page_says_how_to(staff_page: Callable[[str], AppTest]) -> None:
    page = staff_page("quality").run()
    assert "`frontdesk eval answers`" in page.info[0].value and not page.exception


def test_the_latest_run_is_shown_with_intervals_and_mistakes(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    keep(engine, {})
    keep(engine, {}, SILENT, {"misspelt": ("recieve",)})
    page = staff_page("quality").run()
    assert not page.error and not page.exception
    assert [metric.value for metric in page.metric[:2]] == ["53.3 %", "66.7 %"]
    assert "95 % interval" in page.metric[0].help
    expanded = [expander.label for expander in page.expander]
    assert "Needless abstention · 1 question" in expanded and "Misspelling · 1 question" in expanded
    html = shown(page)
    assert "I could &lt;b&gt;not&lt;/b&gt; find that." in html and "<b>not" not in html and "<i>long" not in html


def test_a_run_without_a_mistake_says_so(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    keep(engine, {}, {})
    assert "No mistake" in staff_page("quality").run().info[0].value


def test_two_runs_are_laid_side_by_side(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    keep(engine, *[SILENT] * 20, adapter="style-v1")
    keep(engine, *[{}] * 20, adapter="style-v2")
    page = staff_page("quality").run()
    rows = {row["Measure"]: row for row in page.table[-1].value.to_dict("records")}
    assert rows["Token F1"]["Before"] == "0.0 %" and rows["Token F1"]["Verdict"] == "better"
    assert any("20 of 20 questions answered otherwise" in caption.value for caption in page.caption)
    assert page.expander[-1].label == r"How \<i\>long\</i\>?"


def test_another_run_can_be_chosen(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    keep(engine, SILENT)
    keep(engine, {})
    page = staff_page("quality").run()
    assert page.metric[0].value == "80.0 %"
    page.selectbox(key="quality-run").set_value(1).run()
    assert page.metric[0].value == "0.0 %"


def test_a_run_of_another_kind_shows_its_figures(engine: sa.Engine, staff_page: Callable[[str], AppTest]) -> None:
    runs.keep(engine, "retrieval", "", {"data": "d1"}, {"figures": {"recall_at_5": 0.9}})
    page = staff_page("quality").run()
    assert page.table[0].value.iloc[0].tolist() == ["recall at 5", "0.9", "–"] and not page.exception
