"""What a threshold costs and saves."""

import pytest

from bot.quality import risk

SURE = [0.9, 0.8, 0.7, 0.6, 0.5]
RIGHT = [True, True, False, True, False]


def test_the_curve_goes_from_the_surest_answer_to_all_of_them() -> None:
    assert risk.curve(SURE, RIGHT) == [(0.2, 0.0), (0.4, 0.0), (0.6, 1 / 3), (0.8, 0.25), (1.0, 0.4)]


def test_equally_sure_answers_are_given_together() -> None:
    assert risk.curve([0.5, 0.5, 0.1], [True, False, False]) == [(2 / 3, 0.5), (1.0, 2 / 3)]


def test_a_perfect_order_has_the_smallest_area() -> None:
    perfect = risk.area(SURE, [True, True, True, False, False])
    reverse = risk.area(SURE, [False, False, True, True, True])

    assert perfect == pytest.approx((0.25 + 0.4) / 5)
    assert perfect < risk.area(SURE, RIGHT) < reverse


def test_the_interval_holds_the_area() -> None:
    low, high = risk.area_interval(SURE * 20, RIGHT * 20)

    assert low < risk.area(SURE * 20, RIGHT * 20) < high


def test_separation_is_one_for_a_perfect_order_and_a_half_for_no_order() -> None:
    assert risk.separation([0.9, 0.8, 0.2], [True, True, False]) == 1
    assert risk.separation([0.5, 0.5, 0.5], [True, False, True]) == 0.5


def test_a_threshold_keeps_the_risk_that_it_is_chosen_for() -> None:
    sure = [step / 100 for step in range(100)]
    answerable = [step % 3 != 0 for step in range(100)]

    chosen = risk.threshold_for(sure, answerable, 0.15)

    assert risk.rates(sure, answerable, chosen).risk <= 0.15 < risk.rates(sure, answerable, chosen - 0.03).risk


def test_where_no_threshold_is_safe_nothing_is_answered() -> None:
    assert risk.threshold_for([1.0, 1.0], [True, False], 0.0) == 1.0
    assert risk.coverage_at([0.9, 0.9], [True, False], 0.0) == 0.0
