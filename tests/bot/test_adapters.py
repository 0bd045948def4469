"""Versions of the style: which speaks, which spoke before."""

import pytest
import sqlalchemy as sa

from bot import adapters, db
from bot.errors import AdapterRefused


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
