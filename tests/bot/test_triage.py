"""What the rules suggest, and where an error goes."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from bot import feedback, triage
from bot.records import Feedback, Meta
from tests.bot.test_feedback import PASSAGE, an_answer
from tests.ui.given_pages import TEXT, answer, index, told


@pytest.fixture
def item(engine: sa.Engine) -> Feedback:
    """An answer that a passage supports, and that its customer did not like."""
    row = feedback.rate(engine, an_answer(), 0)
    said = "Anything unused may be returned within 45 days [1]."
    return replace(feedback.find(engine, row), answer=said, evidence=(replace(PASSAGE, text=TEXT),))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"rating": 1}, "approve"),
        ({"answer": "I could not find that in our documents."}, "missing"),
        ({"answer": "Anything unused may be returned within 60 days [1]."}, "wrong fact"),
        ({"answer": "Anything unused may be returned within 60 days [1].", "rating": 1}, "wrong fact"),
        ({"reason": "Wrong"}, "wrong fact"),
        ({"reason": "Too long"}, "style"),
        ({"reason": "Wrong tone"}, "style"),
        ({"reason": "Not helpful"}, "missing"),
        ({"reason": "Not helpful", "comment": "Very cold tone."}, "style"),
        ({"comment": "That is no longer true."}, "wrong fact"),
        ({"comment": "It does not answer what I asked."}, "missing"),
        ({}, "style"),
    ],
)
def test_the_first_rule_that_fits_suggests(item: Feedback, changes: dict[str, object], kind: str) -> None:
    suggestion = triage.suggest(replace(item, **changes))  # type: ignore[arg-type]
    assert suggestion.kind == kind
    assert suggestion.reason.endswith((".", "”"))


def test_a_wrong_fact_goes_to_the_owner_of_the_document_that_is_cited(engine: sa.Engine) -> None:
    index(engine, "other.md", text="Something else.", meta=Meta(owner="Otto"))
    passage = index(engine, "returns.md", meta=Meta(owner="Maria Lind"))
    given = answer(passage)
    told(engine, given)
    row = feedback.rate(engine, given, 0)
    assert triage.report_wrong(engine, feedback.find(engine, row), "ann", "It is 30 days.") == "Maria Lind"
    (report,) = feedback.reports(engine)
    assert (report.owner, report.state, report.note) == ("Maria Lind", "rejected", "It is 30 days.")


def test_where_nobody_is_named_the_report_has_no_owner(engine: sa.Engine) -> None:
    row = feedback.rate(engine, answer(index(engine)), 0)
    assert triage.report_wrong(engine, feedback.find(engine, row), "ann") == ""
