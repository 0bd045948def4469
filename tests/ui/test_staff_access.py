"""Who sees what."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from bot import staff
from bot.errors import NotAllowed
from tests.ui.given_pages import PASSWORD, answer, index, shown, stranger_page, told
from ui.session import FREE_ATTEMPTS, LONGEST_WAIT_SECONDS, Attempts

STAFF_PAGES = ("documents", "gaps", "review", "prompts", "labels", "arena", "adapters", "insights", "quality")


def log_in(page: AppTest, password: str) -> AppTest:
    page.text_input(key="password").set_value(password)
    return page.button(key="log-in-button").click().run()


def test_a_customer_sees_the_chat_alone(customer_page: AppTest) -> None:
    customer_page.run()
    assert not customer_page.exception
    assert customer_page.title[0].value == r"Linden \& Lark"
    assert customer_page.chat_input(key="question")
    assert not customer_page.sidebar.children


@pytest.mark.parametrize("name", STAFF_PAGES)
def test_a_stranger_gets_the_log_in_instead_of_a_staff_page(engine: sa.Engine, name: str) -> None:
    page = stranger_page(name).run()
    assert [header.value for header in page.header] == ["Staff"]
    assert not page.title


@pytest.mark.parametrize("name", [name for name in STAFF_PAGES if name != "prompts"])  # there are always prompts
def test_every_staff_page_explains_itself_while_it_is_empty(staff_page: Callable[[str], AppTest], name: str) -> None:
    page = staff_page(name).run()
    assert not page.exception and not page.error
    assert page.title[0].value.lower() == name
    assert page.info


def test_a_wrong_password_is_refused(engine: sa.Engine) -> None:
    page = log_in(stranger_page("review").run(), "guess")
    assert "not right" in page.error[0].value
    assert not page.title


def test_the_staff_password_opens_the_page(engine: sa.Engine) -> None:
    page = log_in(stranger_page("review").run(), PASSWORD)
    assert [title.value for title in page.title] == ["Review"]


def test_the_right_password_is_refused_too_after_too_many_wrong_ones(engine: sa.Engine) -> None:
    page = stranger_page("review").run()
    for _ in range(FREE_ATTEMPTS):
        log_in(page, "guess")
    assert "too many" in log_in(page, PASSWORD).error[0].value


def test_waiting_for_another_try_doubles_up_to_a_limit_and_ends_with_success() -> None:
    clock = SimpleNamespace(now=0.0)
    attempts = Attempts(lambda: clock.now)
    for _ in range(FREE_ATTEMPTS):
        attempts.begin("here")
    for seconds in (2, 4, 8, 16, 32, 64, 128, 256, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS):
        clock.now += seconds - 0.5
        with pytest.raises(NotAllowed, match="too many"):
            attempts.begin("here")
        clock.now += 0.5
        attempts.begin("here")
    attempts.begin("elsewhere")
    attempts.succeeded("here")
    attempts.begin("here")


def test_a_session_that_ended_elsewhere_cannot_approve_anything(
    engine: sa.Engine, staff_page: Callable[[str], AppTest]
) -> None:
    from bot import feedback

    number = feedback.rate(engine, answer(index(engine)), 1)
    page = staff_page("review").run()
    staff.reset_password(engine)  # ends every session
    page.button(key=f"approve-{number}").click().run()
    assert feedback.find(engine, number).state == "pending"
    assert not page.title


def test_logging_out_ends_the_session_in_the_records(engine: sa.Engine, customer_page: AppTest) -> None:
    token = staff.log_in(engine, PASSWORD, 1)
    customer_page.session_state["staff_token"] = token
    customer_page.run()
    assert customer_page.sidebar.children
    customer_page.button(key="log-out").click().run()
    assert staff.member(engine, token) is None
    assert not customer_page.sidebar.children


def test_another_customers_conversation_is_refused(engine: sa.Engine, customer_page: AppTest) -> None:
    theirs = told(engine, answer(index(engine), "Nobody else may read this [1]."), customer="someone else")
    customer_page.session_state["conversation"] = theirs
    customer_page.run()
    assert "Nobody else" not in shown(customer_page)
    customer_page.chat_input(key="question").set_value("What did they ask?").run()
    known = [error.value for error in customer_page.error]
    customer_page.session_state["conversation"] = "no such id"
    customer_page.chat_input(key="question").set_value("What did they ask?").run()
    assert known == [error.value for error in customer_page.error] != []


def test_an_unexpected_error_is_an_apology_and_no_stack_trace(engine: sa.Engine, customer_page: AppTest) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE documents")
    customer_page.run()
    assert "Something went wrong on our side" in customer_page.error[0].value
    assert not customer_page.exception
