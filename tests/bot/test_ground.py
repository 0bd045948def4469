"""Is a sentence supported by its passage? What is wrong in one number, name or negation must not pass."""

from dataclasses import replace

import pytest
from langchain_core.embeddings import Embeddings

from bot import ground
from bot.claims import facts, names, rows
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
        "Sure, you can return unworn items within 45 days of delivery.",
        "We'll send your refund within five working days.",
        "Outlet items can't be exchanged.",
        "Delivery in Zone A costs €4.90.",
        "The value is paid out.",
    ],
)
def test_what_the_documents_say_is_supported(sentence: str) -> None:
    assert ground.support(sentence, [RETURNS, DELIVERY]) is not None


ZONE = (
    "Zone: Zone B; Area: Highlands and islands; Standard price: €7.90; Standard time: 3 to 5 days; Express time: 2 days"
)
PRICES = "Zone: Zone B; Area: Highlands and islands; Standard price: €7.90; Express price: €14.90"
TENT = "Tent: Heron 4; Sleeps: 4 people; Weekend: €45; Week: €95; Deposit: €150"
SHOP = "Shop: Port Callow; Address: 21 Harbour Row; Saturday: 10:00 to 17:30; Sunday: 12:00 to 17:00 from May to June"
TIERS = "Benefit: Points for each euro spent; Seed: 1; Sapling: 1.25; Summit: 1.5"
STAFF = "Shop: Elmstow; Manager: Anna Bell; Deputy: Tom Reed"


def supports(text: str, sentence: str) -> bool:
    passage = Passage("c3", 3, "prices.md", "Prices", "", None, text, 0.9)
    return ground.support(sentence, [passage]) is not None


@pytest.mark.parametrize(
    ("row", "sentence", "supported"),
    [
        (PRICES, "The standard price for Zone B is €7.90.", True),
        (PRICES, "The standard price for Zone B is €14.90.", False),
        (PRICES, "The express price for Zone B is €7.90.", False),
        (PRICES, "The standard price for Zone C is €7.90.", False),
        (ZONE, "The standard price for Zone B is €7.90.", True),
        (ZONE, "The standard price for Zone C is €7.90.", False),
        (ZONE, "The standard time for Zone B is 2 days.", False),
        (TENT, "The deposit for the Heron 4 is €150.", True),  # whatever stands in the cells between
        (TENT, "The weekend with the Heron 4 is €45 and the week €95.", True),
        (TENT, "The weekend with the Heron 4 is €95 and the week €45.", False),
        (TENT, "The weekend with the Heron 4 is €95.", False),
        (SHOP, "On Sunday the shop in Port Callow has 12:00 to 17:00 from May to June.", True),
        (SHOP, "On Sunday the shop in Port Callow has 12:00 to 17:00 from June to May.", False),
        (SHOP, "On Saturday the shop in Port Callow has 12:00 to 17:00.", False),
        (TIERS, "With Summit you get 1.5 points for each euro spent.", True),
        (TIERS, "With Summit you get 1.25 points for each euro spent.", False),
        (STAFF, "The manager of the shop in Elmstow is Anna Bell.", True),
        (STAFF, "The manager of the shop in Elmstow is Tom Reed.", False),
        (STAFF, "Tom Reed is the manager and Anna Bell the deputy.", False),
    ],
)
def test_a_sentence_about_a_table_row_keeps_what_stands_in_a_cell_under_its_header(
    row: str, sentence: str, supported: bool
) -> None:
    assert supports(row, sentence) == supported


@pytest.mark.parametrize(
    ("quote", "sentence", "supported"),
    [
        ("Customers in Zone C pay the return postage.", "You'll pay the return postage in Zone C.", True),
        ("Customers in Zone C pay the return postage.", "We'll pay the return postage in Zone C.", False),
        ("We pay the return postage in that case.", "In that case we will pay the return postage.", True),
        ("We pay the return postage in that case.", "In that case you pay the return postage.", False),
        ("If a customer cancels, we charge half of the price.", "We'd charge you half of the price.", True),
        ("The return postage is paid by us.", "The return postage is paid by us.", True),
    ],
)
def test_what_the_customer_does_is_not_what_the_company_does(quote: str, sentence: str, supported: bool) -> None:
    assert supports(quote, sentence) == supported


def test_a_row_of_a_table_has_cells_and_prose_has_none() -> None:
    row = "Shop: Elmstow; Sunday: closed; Telephone: 555-0101"
    _, sunday, telephone = rows.cells(row)
    assert row[sunday.start : sunday.end] == "Sunday: closed"
    assert rows.told("On Sunday Elmstow is closed.", sunday) and not rows.told(
        "On Sunday Elmstow is closed.", telephone
    )
    assert rows.cells("We are open: from nine; ask for more.") == rows.cells("Note: we are closed.") == []


@pytest.mark.parametrize(
    ("sentence", "question", "tells"),
    [
        ("Outlet items can be returned within 14 days [1].", "Can I return outlet items?", True),
        ("Outlet items can go back unworn, in the original box [1].", "Can I return outlet items?", True),
        ("You can return outlet items if you like [1].", "Can I return outlet items?", False),
        ("You can return them within 14 days [1].", "Is it 14 days?", False),
    ],
)
def test_to_tell_is_to_say_something_that_the_question_does_not(sentence: str, question: str, tells: bool) -> None:
    quote = "Outlet items must be returned unworn, in the original box, within 14 days of the purchase."
    assert ground.tells(sentence, quote, question) == tells


@pytest.mark.parametrize(
    ("question", "tells"),
    [
        ("Can I open the notification panel from any screen?", True),
        ("Hi, is it possible to open the notification panel from any screen?", True),
        ("How can I open the notification panel from any screen?", False),
    ],
)
def test_a_plain_yes_tells_enough_where_the_source_says_hardly_more(question: str, tells: bool) -> None:
    quote = "View the notification panel: You can open the notification panel from any screen."
    assert ground.tells("You can open the notification panel from any screen [1].", quote, question) == tells


@pytest.mark.parametrize("sentence", ["Refunds are sent within 5 days.", "The postage is paid."])
def test_an_irregular_verb_is_its_plain_form(sentence: str) -> None:
    text = "We send your refund within 5 days. We pay the postage. Items that are sent back unpaid are kept."
    assert ground.support(sentence, [replace(DELIVERY, text=text)])


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


@pytest.mark.parametrize(
    "sentence",
    [
        "Our documents do not say who founded Linden & Lark.",
        "Our documents do not say whether it was founded in a town.",
        "Our documents do not say in what town it was founded, or by whom [1].",
    ],
)
def test_to_leave_a_part_of_the_question_open_claims_nothing(sentence: str) -> None:
    assert ground.leaves_open(sentence, "In what town, when and by whom was it founded?", "Linden & Lark")


@pytest.mark.parametrize(
    "sentence",
    [
        "Our documents do not say.",
        "Our documents say who founded it.",
        "our documents do not say who founded it.",
        "Our documents do not say who founded it in 1998.",
        "Our documents do not say who founded the shop.",
        "Our documents do not say when, but it was founded in a town.",
        "Our documents do not say when, it was founded in a town.",
    ],
)
def test_who_leaves_a_question_open_may_not_claim_anything_beside_it(sentence: str) -> None:
    assert not ground.leaves_open(sentence, "In what town, when and by whom was it founded?", "Linden & Lark")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12 days", "twelve days"),
        ("1,000 pieces", "1000 pieces"),
        ("€4.90", "4.90 euros"),
        ("5 %", "5 percent"),
        ("5 pm", "17:00"),
        ("5:30 p.m.", "17:30"),
        ("31 January 2024", "2024-01-31"),
        ("January 31, 2024", "the 31st of January 2024"),
        ("31/01/2024", "31 January 2024"),
        ("two thousand five hundred", "2,500"),
        ("the 3rd floor", "the third floor"),
    ],
)
def test_the_same_figure_is_the_same_however_it_is_written(one: str, other: str) -> None:
    (written,), (spelled,) = facts.figures(one), facts.figures(other)
    assert written.agrees(spelled) and spelled.agrees(written)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("45 days", "45 euros"),
        ("5 am", "5 pm"),
        ("4.9 litres", "49 litres"),
        ("31 January 2024", "January 2024"),
        ("03/04/2024", "3 April 2024"),  # or the 4th of March: not sure, so not the same
        ("5 %", "5 kg"),
        ("3rd", "3 days"),
    ],
)
def test_what_differs_in_value_unit_or_precision_does_not_agree(one: str, other: str) -> None:
    (mine,) = facts.figures(one)
    assert not any(mine.agrees(its) for its in facts.figures(other))


def test_a_month_or_year_is_supported_by_the_whole_date() -> None:
    (day,) = facts.figures("31 January 2024")
    assert all(fact.agrees(day) for text in ("January 2024", "31 January", "in 2024") for fact in facts.figures(text))


def test_a_name_is_a_run_of_capitalised_words_inside_a_sentence() -> None:
    found = names.within("Then ask Thomas Wilde in Zone B, or the Elmstow shop.")
    assert [name.value for name in found] == [("thoma", "wild"), ("zone", "B"), ("elmstow",)]


SHOP = Passage(
    "c3",
    3,
    "shop.md",
    "The shop",
    "",
    None,
    "Mora Wilde opened the shop in 1998 and Jonas Brand the workshop in 2006. The tours take 2 adults and 3 children. "
    "She sold it in 2011. Members pay at most 30 euros. The stove may be used after 5 pm, but not indoors. "
    "Kayaks cost €25 in Brindle. Canoes cost €40 in Elmstow.",
    1.0,
)


@pytest.mark.parametrize(
    "sentence",
    [
        "Jonas Brand opened the workshop in 2006.",
        "The stove may be used after 17:00.",
        "The tours take two adults and three children.",
        "Members pay up to €30.",
        "Kayaks cost €25 in Brindle, and canoes cost €40 in Elmstow.",
    ],
)
def test_other_ways_of_saying_the_same_are_supported(sentence: str) -> None:
    assert ground.support(sentence, [SHOP]) is not None


@pytest.mark.parametrize(
    "sentence",
    [
        "Mora Wilde opened the shop in 2006 and Jonas Brand the workshop in 1998.",
        "Jonas Brand opened the shop in 1998 and Mora Wilde the workshop in 2006.",
        "The tours take 3 adults and 2 children.",
        "Members pay at least 30 euros.",
        "The stove may be used before 5 pm.",
        "The stove may be used after 5 am.",
        "The stove may be used indoors.",
        "Kayaks cost €40 in Brindle.",
        "Kayaks cost €25 in Brindle, and canoes cost €25 in Elmstow.",
        "The workshop in Elmstow repairs tents from July to May.",
        "Kayaks cost €25 in Brindle, and are rented for €40 in Elmstow.",
    ],
)
def test_facts_in_each_others_place_are_not(sentence: str) -> None:
    assert ground.support(sentence, [SHOP, RETURNS]) is None


def test_a_compound_sentence_is_quoted_as_the_run_of_sentences_that_hold_it() -> None:
    support = ground.support("Kayaks cost €25 in Brindle, and canoes cost €40 in Elmstow.", [SHOP])
    assert support is not None
    assert support.quote == "Kayaks cost €25 in Brindle. Canoes cost €40 in Elmstow."
    assert support.quote in SHOP.text


def test_a_sentence_may_stand_between_the_parts_but_not_two() -> None:
    text = "Kayaks cost €25 in Brindle. They are red. {}Canoes cost €40 in Elmstow."
    said = "Kayaks cost €25 in Brindle, whereas canoes cost €40 in Elmstow."
    near = replace(SHOP, text=text.format(""))
    support = ground.support(said, [near])
    assert support is not None
    assert support.quote == near.text
    assert ground.support(said, [replace(SHOP, text=text.format("They are long. "))]) is None


def test_a_part_without_a_subject_counts_only_as_the_beginning_of_a_sentence() -> None:
    shop = replace(SHOP, text="Kayaks cost €25 in Brindle. In Elmstow all canoes cost €40.")
    assert ground.support("Kayaks cost €25 in Brindle, and in Elmstow all canoes cost €40.", [shop]) is not None
    assert ground.support("Kayaks cost €25 in Brindle, and in Elmstow cost €40.", [shop]) is None


def test_a_name_with_a_number_may_be_written_in_one() -> None:
    stove = replace(SHOP, title="Manual of the Ember 2", text="Its burner weighs 385 g.")
    assert ground.support("The burner of the Ember2 weighs 385 g.", [stove]) is not None
    assert ground.support("The burner of the Ember3 weighs 385 g.", [stove]) is None


class _NearUnderItsTitle(Embeddings):
    """A text means what is rented only where it says so."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [1.0, 0.0] if "tent" in text.lower() else [0.0, 1.0]


def test_a_sentence_may_take_from_the_title_what_it_is_about() -> None:
    rental = replace(SHOP, title="Tent rental", text="The person who books must be at least 18 years old.")
    said = "You can hire a tent when you are at least 18 years old."
    assert ground.support(said, [rental], embeddings=_NearUnderItsTitle()) is not None
    assert ground.support(said, [replace(rental, title="Boats")], embeddings=_NearUnderItsTitle()) is None


class _SameMeaning(Embeddings):
    """Every text means the same: what remains refused is refused by its facts."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[1.0, 0.0] for _ in texts]

    def embed_query(self, text: str) -> list[float]:
        return [1.0, 0.0]


def test_a_paraphrase_is_supported_by_its_meaning_only_where_its_facts_agree() -> None:
    paraphrase = "Your money arrives within 5 working days: we send the refund."
    assert ground.support(paraphrase, [RETURNS]) is None
    assert ground.support(paraphrase, [RETURNS], embeddings=_SameMeaning()) is not None
    assert ground.support(paraphrase.replace("5", "6"), [RETURNS], embeddings=_SameMeaning()) is None
