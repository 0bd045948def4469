"""Bootstrap intervals: they hold the truth about as often as they say, and shrink with the number of questions."""

import numpy as np

from bot.quality import intervals


def shares(hits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    column = hits.astype(float).reshape(-1, 1)
    return column, np.ones_like(column)


def test_intervals_hold_the_true_share_about_as_often_as_they_say() -> None:
    drawn = np.random.default_rng(5).random((100, 120)) < 0.3
    found = [intervals.ratios(*shares(hits))[0] for hits in drawn]
    assert 0.90 <= np.mean([one.low <= 0.3 <= one.high for one in found]) <= 0.99


def test_more_questions_make_a_narrower_interval() -> None:
    few, many = (np.arange(count) % 2 == 0 for count in (20, 2_000))
    narrow, wide = intervals.ratios(*shares(many))[0], intervals.ratios(*shares(few))[0]
    assert narrow.high - narrow.low < (wide.high - wide.low) / 5


def test_the_same_seed_gives_the_same_interval() -> None:
    hits = np.random.default_rng(1).random(50) < 0.5
    assert intervals.ratios(*shares(hits), seed=3) == intervals.ratios(*shares(hits), seed=3)
    assert intervals.ratios(*shares(hits), seed=3) != intervals.ratios(*shares(hits), seed=4)


def test_a_ratio_of_sums_is_not_a_mean_of_ratios() -> None:
    parts, wholes = np.array([[1.0], [1.0]]), np.array([[1.0], [9.0]])
    assert intervals.ratios(parts, wholes)[0].value == 0.2


def test_pairing_finds_a_difference_that_two_separate_intervals_hide() -> None:
    hard = np.random.default_rng(2).random(100)
    before, after = hard.reshape(-1, 1), (hard + 0.02).reshape(-1, 1)
    whole = np.ones_like(before)
    apart = [intervals.ratios(run, whole)[0] for run in (before, after)]
    assert apart[0].high > apart[1].low
    grown = intervals.differences((before, whole), (after, whole))[0]
    assert grown.low > 0 and abs(grown.value - 0.02) < 1e-6


def test_equal_runs_differ_by_nothing() -> None:
    pair = shares(np.random.default_rng(3).random(40) < 0.5)
    same = intervals.differences(pair, pair)[0]
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_nothing_to_measure_is_no_figure() -> None:
    zeros = np.zeros((5, 1))
    assert not intervals.ratios(zeros, zeros)[0].measured
    assert not intervals.ratios(np.zeros((0, 1)), np.zeros((0, 1)))[0].measured
