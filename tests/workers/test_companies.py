"""The fictional companies: the same ones by the same seed, and answers that stand in their pages."""

import re
from collections import Counter

import pytest

from workers.style.consultant.companies import KINDS, Ask, Company, companies, supported

LEAST_WORDS, MOST_WORDS = 40, 110


@pytest.fixture(scope="module")
def many() -> list[Company]:
    return companies(seed=1, count=80)


def asks(many: list[Company], *kinds: str) -> list[tuple[Company, Ask]]:
    return [(company, ask) for company in many for ask in company.asks if not kinds or ask.kind in kinds]


def test_the_same_seed_gives_the_same_companies_and_another_seed_others() -> None:
    assert companies(seed=3, count=2) == companies(seed=3, count=2)
    assert companies(seed=3, count=2) != companies(seed=4, count=2)


def test_every_answer_is_supported_by_its_page_by_words_alone(many: list[Company]) -> None:
    assert [ask for company, ask in asks(many[:10]) if not supported(ask.answer, company.pages[ask.page])] == []


def test_every_answer_marks_the_words_that_answer_once_and_they_stand_in_the_page(many: list[Company]) -> None:
    for company, ask in asks(many):
        (key,) = re.findall(r"\*\*([^*]+)\*\*", ask.answer)
        page = company.pages[ask.page].text.lower()
        assert key == "Yes" or key == "No" or all(word in page for word in re.findall(r"[\w€%:.']+", key.lower())), ask


def test_pages_are_as_long_as_passages_and_answers_are_short(many: list[Company]) -> None:
    pages = [page for company in many for page in company.pages]

    assert all(10 <= len(company.pages) <= 16 for company in many)
    assert all(LEAST_WORDS <= len(page.text.split()) <= MOST_WORDS for page in pages)
    assert all(5 <= len(ask.answer.split()) <= 35 for _, ask in asks(many))


def test_there_are_all_kinds_of_questions_and_few_are_asked_twice(many: list[Company]) -> None:
    counts = Counter(ask.kind for _, ask in asks(many))

    assert counts.keys() == KINDS.keys()
    assert len({ask.question for _, ask in asks(many)}) > 1500


def test_a_follow_up_is_spelled_out_after_an_earlier_turn(many: list[Company]) -> None:
    assert all(len(ask.history) == 2 and ask.standalone for _, ask in asks(many, "followup"))


def test_what_the_documents_do_not_say_is_named_in_a_sentence_of_its_own_without_figures(many: list[Company]) -> None:
    for _, ask in asks(many, "partial"):
        _, unsaid = ask.answer.split(" Our documents do not say ")
        assert unsaid.endswith(".") and not re.search(r"\d", unsaid)
