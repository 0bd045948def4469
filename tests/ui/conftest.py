"""A records database of its own for every test, and pages that are drawn without a browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from bot import db, indexes, staff
from bot.settings import load_settings
from tests.ui.given_pages import PASSWORD, TOKEN, stranger_page

APPLICATION = Path(__file__).resolve().parents[2] / "ui" / "app.py"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """The migrated records of an empty Frontdesk, with the staff password set."""
    monkeypatch.setenv("FRONTDESK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FRONTDESK_INBOX_DIR", str(tmp_path / "inbox"))
    monkeypatch.setenv("FRONTDESK_REDIS_URL", "redis://127.0.0.1:1/0")
    st.cache_resource.clear()
    engine = db.connect(f"sqlite:///{tmp_path / 'frontdesk.sqlite'}")
    db.migrate(engine)
    indexes.ensure(engine, load_settings())
    staff.reset_password(engine, PASSWORD)
    yield engine
    engine.dispose()
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def cookies(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the browser sends along; AppTest has no browser."""
    sent: dict[str, str] = {}
    monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: sent))
    monkeypatch.setattr(ContextProxy, "ip_address", property(lambda _: "192.0.2.1"))
    return sent


@pytest.fixture
def customer_page(engine: sa.Engine) -> AppTest:
    """The application in the browser of one customer."""
    page = AppTest.from_file(APPLICATION, default_timeout=15)
    page.session_state["customer_token"] = TOKEN
    return page


@pytest.fixture
def staff_page(engine: sa.Engine) -> Callable[[str], AppTest]:
    """Draws a staff page (by its module's name) for a logged-in member of staff."""

    def page(name: str) -> AppTest:
        drawn = stranger_page(name)
        drawn.session_state["staff_token"] = staff.log_in(engine, PASSWORD, 1)
        return drawn

    return page
