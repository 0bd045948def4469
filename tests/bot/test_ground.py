"""Is a sentence supported by its passage? What is wrong in one number, name or negation must not pass."""

import pytest

from bot import ground
from bot.records import Passage

RETURNS = Passage(
    "c1",
    1,
    "returns.md",
    "Returns and refunds",
    "Time limits",
    None,
    "You can return unworn items within 45 days of delivery. Outlet items cannot be exchanged. "
    "We send your refund within 5 working days. The value is paid out, and the buyer is not told about the return. "
    "The workshop in Elmstow repairs tents from May to July.",
    1.0,
)
DELIVERY = Passage("c2", 2, "delivery.md", "Delivery", "", 3, "Standard delivery in Zone A costs €4.90.", 0.9)


@pytest.mark.parametrize(
    "sentence",
    [
        "You can return unworn items within 45 days of delivery [1].",
        "Happy to help: you can return unworn items within 45 days of delivery.",
        "We'll send your refund within five working days.",
        "Outlet items can't be exchanged.",
        "Delivery in Zone A costs €4.90.",
        "The value is paid out.",
    ],
)
def test_what_the_documents_say_is_supported(sentence: str) -> None:
    assert ground.support(sentence, [RETURNS, DELIVERY]) is not None


@pytest.mark.parametrize(
    "sentence",
    [
        "You can return unworn items within 30 days of delivery.",
        "You can return unworn items within 4 days of delivery.",
        "You cannot return unworn items within 45 days of delivery.",
        "Outlet items can be exchanged.",
        "The workshop in Brindle repairs tents from May to July.",
        "Delivery in Zone B costs €4.90.",
        "We send your refund within 45 days.",
        "Our founder was born in a small village by the sea.",
        "The buyer is told about the return.",
        "No, there is no café in the Elmstow workshop.",
        "Items are never returned by post.",
        "Happy to help!",
    ],
)
def test_what_they_do_not_say_is_not(sentence: str) -> None:
    assert ground.support(sentence, [RETURNS, DELIVERY]) is None


def test_the_quote_is_an_exact_substring_and_no_longer_than_it_must_be() -> None:
    support = ground.support("We send your refund within 5 working days [2].", [DELIVERY, RETURNS])
    assert support is not None
    assert support.passage == RETURNS
    assert support.quote == "We send your refund within 5 working days."


def test_politeness_needs_no_source_but_a_new_fact_does() -> None:
    text = "Happy to help! You can return unworn items within 45 days of delivery. Socks are free on Mondays."
    assert ground.unsupported(text, [RETURNS]) == ["Socks are free on Mondays."]
