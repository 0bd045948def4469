"""Fitting the confidence: on made-up cases of which one sign says all and another misleads."""

import random

import pytest

from bot.evidence.calibrated import Model, log_odds
from bot.quality import calibration
from bot.quality.calibration import Case


def cases(count: int = 240, seed: int = 4) -> list[Case]:
    """Half of them answerable; `tells` is higher where an answer is, `noise` says nothing, `against` is lower there."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        can = number % 2 == 0
        tells = chance.gauss(1.0 if can else 0.0, 0.5)
        signs = {"tells": tells, "noise": chance.random(), "against": chance.gauss(0.0 if can else 1.0, 0.3)}
        name = "one" if number % 3 else "other"
        made.append(Case(name, signs, can, can and number % 5 != 0, f"group {number % 10}", tells / 2))
    return made


def test_a_sign_that_speaks_against_an_answer_is_left_out() -> None:
    model = calibration.fit(cases(), ["tells", "noise", "against"])

    assert "against" not in model.weights
    assert model.weights["tells"] > 0


def test_confidence_is_for_even_odds_however_many_are_answerable() -> None:
    many = cases()
    few = [case for number, case in enumerate(many) if not case.answerable or number % 8 == 0]

    for chosen in (many, few):
        model = calibration.fit(chosen, ["tells"])
        assert abs(model.probability({"tells": 0.5}) - 0.5) < 0.12


def test_no_case_is_judged_by_a_model_that_saw_its_group() -> None:
    made = cases()
    given_away = [
        Case(case.set, {"group": float(case.answerable)}, case.answerable, case.right, case.group, 0.0) for case in made
    ]
    alone = [
        Case("one", {"mark": float(number == 3)}, number == 3, False, f"group {number}", 0.0) for number in range(16)
    ]

    assert min(calibration.cross_validated(given_away, ["group"])[::2]) > 0.5
    assert calibration.cross_validated(alone[:8] + made[:40], ["mark"])[3] <= 0.5


def test_the_table_tells_answerable_and_unanswerable_apart() -> None:
    made = cases()
    sure = calibration.cross_validated(made, ["tells", "noise"])

    rows = {row.set: row for row in calibration.rows(made, sure, 0.5)}

    assert set(rows) == {"one", "other"}
    assert rows["one"].answerable + rows["one"].unanswerable == 160
    assert rows["one"].at_threshold.coverage > 0.7 > 0.3 > rows["one"].at_threshold.risk
    assert rows["one"].area_low <= rows["one"].area <= rows["one"].area_high


def test_the_threshold_holds_the_risk_in_every_set_that_it_is_chosen_by() -> None:
    made = cases()
    sure = calibration.cross_validated(made, ["tells"])

    at = calibration.threshold(made, sure, ["one", "other"])

    assert all(row.at_threshold.risk <= calibration.DEFAULT_RISK for row in calibration.rows(made, sure, at))


def test_the_curve_answers_more_and_more() -> None:
    made = cases()
    sure = calibration.cross_validated(made, ["tells"])

    points = sorted(calibration.curve(made, sure), key=lambda point: -point.threshold)

    assert len(points) > 30
    assert [point.coverage for point in points] == sorted(point.coverage for point in points)
    assert points[-1].coverage == points[-1].risk == 1


def test_a_model_needs_no_library_to_be_asked() -> None:
    assert Model(-1.0, {"tells": 2.0}).probability({"tells": 0.5}) == 0.5


def test_an_anchored_model_says_what_its_anchor_says_where_nothing_speaks_against_it() -> None:
    fitted = Model(-7.0, {"found": 0.5, "near": 6.0})
    model = calibration.anchored(fitted, "found")

    assert model.probability({"found": log_odds(0.7), "near": 1.0}) == pytest.approx(0.7)
    assert model.probability({"found": log_odds(0.7), "near": 0.9}) < 0.7
    worse, better = ({"found": 1.0, "near": 0.80}, {"found": 0.0, "near": 0.95})
    assert (model.probability(worse) < model.probability(better)) == (
        fitted.probability(worse) < fitted.probability(better)
    )
