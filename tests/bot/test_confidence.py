"""How sure an answer may make us, and the slider."""

import dataclasses
from pathlib import Path

from bot.evidence import Evidence, Judged, asked, calibrated, confidence
from bot.records import Citation, Passage, Sentence

BEST = "You have 45 days to send things back."
ASIDE = "Dogs are welcome in the shop."
QUESTION = asked.read("How many days do I have to send things back?", {}, 100)


def evidence_of(score: float) -> Evidence:
    passage = Passage("c1", 1, "returns.md", "Returns", "", None, f"{BEST} {ASIDE}", 5.0)
    return Evidence(
        score, {}, (passage,), (passage, BEST), {("c1", BEST): Judged(1.4), ("c1", ASIDE): Judged(0.7)}, QUESTION
    )


def said(text: str, quote: str) -> Sentence:
    return Sentence(text, (Citation(1, "returns.md", "Returns", None, "", quote, "c1", 1),))


def test_a_surer_find_makes_a_surer_answer() -> None:
    answer = [said("You have 45 days [1].", BEST)]
    low, high = (confidence.after(evidence_of(score), answer, (), False) for score in (0.3, 0.8))

    assert 0 < low < high < 1


def test_nothing_shown_is_no_answer() -> None:
    assert confidence.after(evidence_of(0.9), [], ["Something unsupported."], False) == 0


def test_an_answer_beside_the_point_makes_no_surer() -> None:
    to_the_point = confidence.signs(evidence_of(0.6), [said("You have 45 days [1].", BEST)], (), False)
    beside = confidence.signs(evidence_of(0.6), [said("Dogs are welcome [1].", ASIDE)], ["Ten days."], False)

    assert to_the_point["to_the_point"] > beside["to_the_point"]
    assert (to_the_point["kind"], beside["kind"]) == (1, 0)
    assert to_the_point["kept"] == 1 > beside["kept"]
    model = calibrated.shipped().after
    assert model.probability(to_the_point) >= model.probability(beside)


def test_every_weight_that_ships_speaks_for_an_answer() -> None:
    shipped = calibrated.shipped()

    assert all(weight >= 0 for model in (shipped.before, shipped.after) for weight in model.weights.values())
    assert shipped.after.weights["found"] > 0


def test_the_slider_goes_from_cautious_to_eager() -> None:
    curve = confidence.curve()

    assert len(curve) >= 30
    assert [point.coverage for point in curve] == sorted(point.coverage for point in curve)
    assert [point.risk for point in curve] == sorted(point.risk for point in curve)
    assert curve[0].coverage < 0.1 and curve[-1].coverage > 0.99


def test_the_default_lies_on_the_curve_and_keeps_its_promise() -> None:
    at = min(confidence.curve(), key=lambda point: abs(point.threshold - confidence.default_threshold()))

    assert abs(at.threshold - confidence.default_threshold()) < 0.05
    assert at.sets["clapnq"].coverage >= 0.7 and at.sets["clapnq"].risk <= 0.17
    assert at.sets["sample"].coverage >= 0.7


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    place = tmp_path / "confidence.json"
    changed = dataclasses.replace(calibrated.shipped(), threshold=0.61)

    calibrated.save(changed, place)

    assert calibrated.load(place) == changed
