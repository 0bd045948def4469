"""A customer who asks for a person gets one, with the conversation attached."""

from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import sqlalchemy as sa

from bot import conversations, handoffs
from bot.errors import NotAllowed
from bot.records import Answer
from tests.ui.given_pages import answer, index, told


def an_abstention(engine: sa.Engine, answer_id: str = "a1") -> Answer:
    return answer(index(engine), "I could not find that in our documents.", answer_id, abstained=True)


def test_a_request_waits_with_its_conversation_until_somebody_takes_over(engine: sa.Engine) -> None:
    given = an_abstention(engine)
    conversation_id = told(engine, given)
    assert not handoffs.is_requested(engine, "a1")
    number = handoffs.request(engine, given, conversation_id, "ann@example.com")
    assert handoffs.is_requested(engine, "a1")
    (waiting,) = handoffs.listing(engine)
    assert (waiting.handoff_id, waiting.question, waiting.note) == (number, given.question, "ann@example.com")
    handoffs.done(engine, number, "ben")
    assert handoffs.listing(engine) == []
    assert [one.done_by for one in handoffs.listing(engine, open_only=False)] == ["ben"]


def test_asking_twice_is_one_request_with_the_last_note(engine: sa.Engine) -> None:
    given = an_abstention(engine)
    conversation_id = told(engine, given)
    assert handoffs.request(engine, given, conversation_id, "") == handoffs.request(
        engine, given, conversation_id, "me"
    )
    assert [one.note for one in handoffs.listing(engine)] == ["me"]


def test_an_answer_of_another_conversation_is_not_handed_over(engine: sa.Engine) -> None:
    given = an_abstention(engine)
    told(engine, given)
    other = conversations.start(engine, "somebody else")
    with pytest.raises(NotAllowed, match="no such answer"):
        handoffs.request(engine, given, other, "me")
    assert handoffs.listing(engine) == []


def test_who_waits_longest_comes_first(engine: sa.Engine) -> None:
    first = an_abstention(engine, "a1")
    second = replace(first, answer_id="a2")
    places = {given.answer_id: told(engine, given) for given in (first, second)}
    for given in (second, first):
        handoffs.request(engine, given, places[given.answer_id])
    handoffs.done(engine, handoffs.listing(engine)[0].handoff_id, "ben")
    assert [one.answer_id for one in handoffs.listing(engine, open_only=False)] == ["a1", "a2"]


def test_the_transcript_is_the_whole_conversation_in_order(engine: sa.Engine) -> None:
    given = an_abstention(engine)
    conversation_id = told(engine, given)
    conversations.keep(engine, replace(given, answer_id="a2", question="And shoes?", text="45 days."), conversation_id)
    assert handoffs.transcript(engine, conversation_id) == (
        "Customer: How long do I have?\nFrontdesk: I could not find that in our documents.\n\n"
        "Customer: And shoes?\nFrontdesk: 45 days."
    )
    assert handoffs.transcript(engine, "nothing") == ""


def test_a_mail_link_carries_the_transcript_and_nothing_of_it_leaks_into_the_address() -> None:
    transcript = "Customer: 100 % & more?\n&bcc=eve@example.com #x\nFrontdesk: Grüße"
    link = handoffs.mail_link("help@example.com", transcript)
    assert link is not None and link.isascii()
    parts = urlsplit(link)
    assert (parts.scheme, parts.path, parts.fragment) == ("mailto", "help@example.com", "")
    assert set(parse_qs(parts.query)) == {"subject", "body"}
    assert parse_qs(parts.query)["body"] == [transcript.replace("\n", "\r\n")]


@pytest.mark.parametrize(
    "contact", ["our team", "help@example.com?bcc=eve@example.com", "help@local", "a b@example.com"]
)
def test_only_an_address_becomes_a_mail_link(contact: str) -> None:
    assert handoffs.mail_link(contact, "Customer: hi") is None


def test_of_a_long_transcript_the_mail_keeps_the_end() -> None:
    link = handoffs.mail_link("help@example.com", "é" * 5_000 + " the end")
    assert link is not None and len(link) <= handoffs.LONGEST_LINK
    assert unquote(link).endswith("é the end") and "\ufffd" not in unquote(link)
