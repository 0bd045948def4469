"""A customer, a content owner and a reviewer use Frontdesk in a browser: the real stack, the real small model."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from bot import adapters, documents, feedback
from bot.records import Feedback
from tests import full_stack
from tests.full_stack import Stack, wait_until

CHROMIUM = shutil.which("chromium")
# Without the last five, Chromium talks to its maker at every start.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
ANSWER_MS = 60_000
TRAINED_SECONDS = 1500
JUDGED = (["active"], ["rejected"])
FACT = "The Quillmouth parcel locker opens with the code QX-7731."

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; .ci/run installs Debian's package"),
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Stack]:
    # few questions at the gate, so that the test is over in minutes
    with full_stack.running(tmp_path_factory.mktemp("stack"), models_dir, gate_questions=8) as stack:
        wait_until(lambda: {one.state for one in documents.listing(stack.desk.database)} == {"indexed"}, 120)
        yield stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def customer(browser: Browser, stack: Stack) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(stack.url)
    return page


@pytest.fixture(scope="module")
def reviewer(browser: Browser, stack: Stack) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{stack.url}/review")

    def logged_in() -> bool:
        password = page.locator(".st-key-password input")
        if password.count():  # on a slow machine the page may be drawn once more, and what was typed is gone
            password.fill(stack.password)
            password.press("Enter")
            page.wait_for_timeout(5_000)
        return page.get_by_role("heading", name="Review").is_visible()

    wait_until(logged_in, 60)
    return page


def ask(page: Page, question: str) -> Locator:
    """Ask, wait until the answer is whole, and return its message."""
    before = page.get_by_test_id("stFeedback").count()
    page.get_by_test_id("stChatInputTextArea").fill(question)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stFeedback")).to_have_count(before + 1, timeout=ANSWER_MS)
    return page.get_by_test_id("stChatMessage").last


def test_a_customer_gets_a_cited_answer_and_opens_its_source(customer: Page) -> None:
    answer = ask(customer, "What does a Zone B standard delivery cost?")
    expect(answer).to_contain_text("7.90")
    expect(answer.locator(".fd-marker").first).to_have_text("[1]")
    answer.get_by_test_id("stExpander").first.click()
    expect(answer.locator(".fd-passage mark").first).to_be_visible()
    expect(answer.locator(".fd-passage mark").first).to_contain_text("7.90")


def test_an_unanswerable_question_gets_an_honest_abstention(customer: Page) -> None:
    answer = ask(customer, "Who won the football on Saturday?")
    expect(answer.locator(".fd-abstained")).to_contain_text("could not find that in our documents")
    expect(answer.get_by_test_id("stExpander")).to_have_count(0)


def test_a_dropped_fact_is_answerable_within_15_seconds_and_gone_when_deleted(customer: Page, stack: Stack) -> None:
    question = "Which code opens the Quillmouth parcel locker?"
    expect(ask(customer, question).locator(".fd-abstained")).to_be_visible()

    begun = time.monotonic()
    dropped = stack.inbox / "quillmouth.md"
    dropped.write_text(f"# Parcel lockers\n\n{FACT} It is open day and night.\n")
    answer = ask(customer, question)
    while "QX-7731" not in answer.inner_text():
        assert time.monotonic() - begun < 60, answer.inner_text()
        answer = ask(customer, question)
    took = time.monotonic() - begun
    expect(answer.get_by_test_id("stExpander").first).to_contain_text("Parcel lockers")
    assert took < 15, f"{took:.1f} s"

    dropped.unlink()
    wait_until(lambda: all(one.path != "quillmouth.md" for one in documents.listing(stack.desk.database)), 30)
    for again in (question, "Tell me about the parcel locker code QX-7731."):
        assert "opens with the code" not in ask(customer, again).inner_text()


def test_nobody_sees_the_staff_pages_without_the_password(browser: Browser, stack: Stack) -> None:
    page = browser.new_context().new_page()
    for name in ("documents", "review", "adapters", "insights"):
        page.goto(f"{stack.url}/{name}")
        expect(page.locator(".st-key-password input")).to_be_visible(timeout=30_000)
        expect(page.get_by_text("pieces")).to_have_count(0)


def test_a_rewrite_becomes_a_voice_that_can_be_rolled_back(customer: Page, reviewer: Page, stack: Stack) -> None:
    answer = ask(customer, "How long is a gift card valid?")
    answer.get_by_test_id("stFeedbackButton").last.click()
    answer.get_by_text("Wrong tone").click()
    answer.get_by_role("button", name="Send", exact=True).click()
    expect(answer.get_by_text("Thank you")).to_be_visible(timeout=30_000)

    reviewer.reload()
    rewrite = reviewer.locator("[class*='st-key-rewrite-'] textarea").first
    rewrite.fill("Happy to help: a gift card is valid for 9 years [1].")
    reviewer.get_by_role("button", name="Approve rewrite").first.click()
    expect(reviewer.get_by_text("9 years").first).to_be_visible()
    assert [row.state for row in _customers_rows(stack)] == ["pending"], "a new fact is refused"
    rewrite.fill("Happy to help: a gift card is valid for 4 years from the day of purchase [1].")
    reviewer.get_by_role("button", name="Approve rewrite").first.click()
    wait_until(lambda: [row.state for row in _customers_rows(stack)] == ["approved"], 30)

    reviewer.goto(f"{stack.url}/adapters")
    reviewer.locator(".st-key-train-now button").click()
    wait_until(lambda: [one.state for one in adapters.listing(stack.desk.database)] in JUDGED, TRAINED_SECONDS)
    (voice,) = adapters.listing(stack.desk.database)
    assert {check["name"]: check["passed"] for check in voice.report["checks"]}["Style score"]
    if voice.state == "rejected":  # of eight questions one more or less decides; make bench-style asks sixty
        adapters.activate(stack.desk.database, voice.name)
    answer = ask(customer, "When do my points expire?")
    expect(answer).to_contain_text("style-v1")

    reviewer.reload()
    reviewer.locator(".st-key-roll-back button").click()
    reviewer.locator(".st-key-confirm-roll-back button").click()
    wait_until(lambda: adapters.active(stack.desk.database) is None, 30)
    answer = ask(customer, "How many points are a voucher?")
    expect(answer).not_to_contain_text("style-v1")


def _customers_rows(stack: Stack) -> list[Feedback]:
    return [row for row in feedback.listing(stack.desk.database) if not row.answer_id.startswith("sample-")]
