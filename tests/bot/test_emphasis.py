"""Where the words that answer stand, and whether they can."""

import pytest

from bot import emphasis


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("cytotoxic T cells", "cytotoxic T cells"),
        ("cyotoxic T cells", "cytotoxic T cells"),
        ("The cytotoxic t cells", "the cytotoxic T cells"),
        ("Peak", "peak"),
        ("cytotoxic T cell peaked", ""),  # nowhere together
        ("1,500 cells", ""),  # of another number
        ("Paris", ""),
        ("", ""),
    ],
)
def test_words_are_meant_in_spite_of_case_and_a_slip_but_figures_as_they_stand(key: str, meant: str) -> None:
    assert emphasis.meant(key, "In all parts the cytotoxic T cells, some 1,600 cells, peak [1].") == meant


def test_the_endings_of_words_do_not_matter() -> None:
    text = "In the lungs, coughing and sneezing eject pathogens."
    assert emphasis.meant("cough and sneeze", text) == "coughing and sneezing"


@pytest.mark.parametrize(
    ("key", "question", "repeats"),
    [
        ("Watt", "Who confirmed Watt's discovery?", True),
        ("electric motors", "Along with electric motors, which engines superseded steam?", True),
        ("internal combustion", "Along with electric motors, which engines superseded steam?", False),
        ("nine", "Do you open at nine or at ten?", False),
        ("M", "Which size am I?", False),
    ],
)
def test_what_was_asked_is_no_answer_but_where_it_was_asked_which_of_two(
    key: str, question: str, repeats: bool
) -> None:
    assert emphasis.repeats(key, question) == repeats
