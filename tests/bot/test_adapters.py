"""Versions of the style: which speaks, which spoke before."""

import pytest
import sqlalchemy as sa

from bot import adapters, db, feedback
from bot.errors import AdapterRefused
from tests.bot.test_feedback import an_answer


@pytest.fixture
def three(engine: sa.Engine) -> sa.Engine:
    for _ in range(3):
        name = adapters.next_name(engine)
        with db.writing(engine) as connection:
            adapters.register(connection, name, f"/x/{name}", base="b", meta={}, report={}, state="candidate")
    return engine


def test_versions_are_numbered_and_never_reused(three: sa.Engine) -> None:
    assert {adapter.name for adapter in adapters.listing(three)} == {"style-v1", "style-v2", "style-v3"}
    assert adapters.next_name(three) == "style-v4"


def test_one_version_speaks_at_a_time(three: sa.Engine) -> None:
    adapters.activate(three, "style-v1")
    adapters.activate(three, "style-v3")
    assert [adapter.name for adapter in adapters.listing(three) if adapter.state == "active"] == ["style-v3"]
    assert adapters.find(three, "v1").state == "retired"


def test_rolling_back_returns_to_who_spoke_before(three: sa.Engine) -> None:
    adapters.activate(three, "style-v1")
    adapters.activate(three, "style-v3")
    previous = adapters.roll_back(three)
    assert previous and previous.name == "style-v1"
    assert adapters.roll_back(three) is None
    assert adapters.active(three) is None
    with pytest.raises(AdapterRefused):
        adapters.roll_back(three)


def test_an_unknown_version_is_named_in_the_refusal(three: sa.Engine) -> None:
    with pytest.raises(AdapterRefused, match="style-v9"):
        adapters.find(three, "style-v9")


def test_a_roll_back_passes_over_what_must_not_speak_again(three: sa.Engine) -> None:
    for name in ("style-v1", "style-v2", "style-v3"):
        adapters.activate(three, name)
    with db.writing(three) as connection:
        adapters.learned(connection, "style-v2", [7])
        assert adapters.mark_stale(connection, [7], "Erased.") == ["style-v2"]
    previous = adapters.roll_back(three)
    assert previous and previous.name == "style-v1"


def test_every_step_is_kept_with_who_took_it_and_why(three: sa.Engine) -> None:
    adapters.start_canary(three, "style-v1", "ann", "looks good")
    adapters.start_canary(three, "style-v2", "ann")
    adapters.activate(three, "style-v2", "bob", "better")
    steps = [(one.adapter, one.step, one.author, one.reason) for one in adapters.history(three)][:-3]
    assert steps == [
        ("style-v2", "active", "bob", "better"),
        ("style-v2", "canary", "ann", ""),
        ("style-v1", "retired", "", "style-v2 took its place."),
        ("style-v1", "canary", "ann", "looks good"),
    ]


def test_a_canary_that_ended_meanwhile_is_not_promoted(three: sa.Engine) -> None:
    adapters.start_canary(three, "style-v1")
    adapters.end_canary(three)
    assert not adapters.promote_canary(three, "style-v1")
    assert adapters.active(three) is None


def test_the_first_version_that_had_a_row_and_all_since_are_marked_where_it_was_not_noted(three: sa.Engine) -> None:
    row = feedback.rate(three, an_answer(), 1)
    with db.writing(three) as connection:
        feedback.mark_trained(connection, [row], "style-v2")
        assert adapters.mark_stale(connection, [row], "Erased.") == ["style-v2", "style-v3"]
