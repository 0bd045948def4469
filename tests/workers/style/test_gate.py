"""The two axes of the gate: what a candidate must show, and what it may not lose."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from bot import style
from bot.records import Adapter
from bot.serving.adapters import read_adapter
from bot.settings import Settings
from bot.style import guide
from tests.workers.style.given_voices import HOUSE, PLAIN, Voice
from workers.style import gate, general, probes, report
from workers.style.gate import Verdict
from workers.style.lessons import Lesson
from workers.style.recipe import Recipe
from workers.style.train import load_base, train, with_adapter

STYLE = style.read(guide.SHIPPED)
GOOD: dict[str, Any] = {
    "held_out_before": 2.0,
    "held_out_speaking": None,
    "held_out_after": 0.6,
    "closed_book": {"questions": 12, "known": 8, "lost": 0, "found": 0, "kl": 0.05},
}


def adapter(name: str, **meta: Any) -> Adapter:
    return Adapter(name, "candidate", "", None, "tiny", {**GOOD, **meta}, {}, datetime.now(UTC), None)


def judged(before: Voice, after: Voice, *, spoken: bool = False, **meta: Any) -> Verdict:
    """The verdict on a candidate that answers like `after`, where `before` spoke."""
    return gate.judge(adapter("style-v2", **meta), before.report(), after.report(), STYLE, spoken=spoken)


def failed(verdict: Verdict) -> list[str]:
    return [check.name for check in verdict.checks if not check.passed]


def test_a_candidate_that_says_it_better_and_knows_no_less_passes() -> None:
    verdict = judged(Voice(PLAIN), Voice(HOUSE))
    assert verdict.passed, failed(verdict)
    (score,) = (check for check in verdict.checks if check.name == "Style score")
    assert score.low is not None and score.low > 20
    assert {check.axis for check in verdict.checks} == {"style", "facts", "rest"}


def test_a_candidate_that_sounds_as_before_does_not_pass() -> None:
    assert failed(judged(Voice(PLAIN), Voice(PLAIN))) == ["Style score", "Pairs won by style"]


def test_a_style_that_speaks_already_must_only_be_kept() -> None:
    assert judged(Voice(HOUSE), Voice(HOUSE), spoken=True).passed
    assert set(failed(judged(Voice(HOUSE), Voice(PLAIN), spoken=True))) == {"Style score", "Pairs won by style"}


def test_a_style_that_nobody_answered_in_proves_nothing() -> None:
    verdict = judged(Voice(PLAIN, answered=0.05), Voice(HOUSE, answered=0.05))
    (why,) = (check.why for check in verdict.checks if check.name == "Style score")
    assert "only 2 questions were answered by both" in why and "Style score" in failed(verdict)


@pytest.mark.parametrize(
    ("lost", "names"),
    [
        ({"said": 0.5}, {"Right words said"}),
        ({"pointed_out": 0.3}, {"Token F1 of the words that answer"}),
        ({"cited": 0.9}, {"Citation precision"}),
        ({"supported": 0.9}, {"Supported sentences"}),
        ({"abstains": 0.75}, {"Abstention F1"}),
        ({"misspelt": 0.2}, {"Misspelling"}),
        ({"total_ms": 7_000.0}, {"Milliseconds to the whole answer"}),
        ({"text": HOUSE.replace("free", "free according to us")}, {"Answers without phrases to avoid"}),
        ({"text": HOUSE + " Parcels, parcels and then again parcels." * 6}, {"Repetition", "Too long answers"}),
    ],
)
def test_what_falls_is_named(lost: dict[str, Any], names: set[str]) -> None:
    assert names <= set(failed(judged(Voice(PLAIN), Voice(**{"text": HOUSE, **lost}))))


def test_a_small_loss_of_one_question_in_two_hundred_passes() -> None:
    assert judged(Voice(PLAIN, questions=200), Voice(HOUSE, questions=200, cited=0.995)).passed


def test_too_few_questions_cannot_show_that_nothing_was_lost() -> None:
    # given answers that say more or less of the right words by .3, and as much on average, to few questions and to many
    few, many = (judged(Voice(PLAIN, questions=n), Voice(HOUSE, questions=n, noise=0.3)) for n in (24, 800))
    # then the few leave open whether it fell
    assert failed(few) == ["Right words said"]
    assert many.passed, failed(many)


@pytest.mark.parametrize(
    ("moved", "names"),
    [
        ({"kl": 3.0}, ["Closed-book divergence (KL)"]),
        ({"lost": 6}, ["Closed-book answers that are right"]),
        ({"lost": 8, "found": 1}, ["Closed-book answers that are right"]),
        ({"lost": 4, "found": 2}, []),
        ({"lost": 2, "found": 2}, []),
        ({"lost": 1}, []),
    ],
)
def test_a_model_that_has_forgotten_what_it_knew_does_not_pass(moved: dict[str, float], names: list[str]) -> None:
    found = {**GOOD["closed_book"], **moved}
    assert failed(judged(Voice(PLAIN), Voice(HOUSE), closed_book=found)) == names


def test_an_adapter_that_changes_nothing_does_not_move_what_the_model_knows(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a fresh adapter, and the same one moved
    base, tokenizer, _ = load_base(settings)
    student = with_adapter(base, Recipe(rank=4, alpha=8, epochs=1, learning_rate=1e-3), settings.model)
    fresh = probes.closed_book(student, tokenizer, general.PROBED[:3])
    with torch.no_grad():
        for name, weight in student.named_parameters():
            if "lora_B" in name:
                weight += torch.randn_like(weight)
    moved = probes.closed_book(student, tokenizer, general.PROBED[:3])
    # then only the second is away from the base
    assert fresh.kl == pytest.approx(0, abs=1e-4) and fresh.lost == fresh.found == 0
    assert moved.kl > 0.01
    # and how far is the same for chats that are read one by one
    monkeypatch.setattr(probes, "TOGETHER", 1)
    assert probes.closed_book(student, tokenizer, general.PROBED[:3]).kl == pytest.approx(moved.kl, rel=1e-3)


def test_a_report_for_people_stands_beside_the_weights_and_the_server_still_takes_them(
    settings: Settings, lessons: tuple[list[Lesson], list[Lesson]]
) -> None:
    # given a trained adapter and a verdict on it
    trained = train(settings, "style-v1", *lessons, lambda _: None)
    verdict = judged(Voice(PLAIN), Voice(HOUSE, cited=0.5))
    # when it is kept
    report.keep(trained.path, "style-v1", verdict.report())
    # then it says what failed and why, and the folder may still be loaded
    text = (trained.path / "gate.md").read_text(encoding="utf-8")
    assert "It may not speak: Citation precision" in text
    assert "Does it know no less?" in text and "**not passed**" in text
    assert json.loads((trained.path / "gate.json").read_text())["passed"] is False
    read_adapter(trained.path, {settings.model})


def test_what_a_customer_wrote_is_no_markdown_in_a_report() -> None:
    sample = {"question": "<b>![x](http://x)", "before": "| a |", "after": "# b"}
    text = report.markdown("v1", {"passed": True, "checks": [], "samples": [sample]})
    assert "\\<b\\>\\!\\[x\\]\\(http://x\\)" in text and "\\| a \\|" in text


def test_a_style_file_for_another_voice_judges_nobody(tmp_path: Path) -> None:
    # given approved answers that keep none of the shipped wishes but length
    approved = ["Dear customer, the return period is 45 days according to our terms, which apply to all orders."] * 5
    # when the style is cut down to what they keep
    kept = style.as_kept(STYLE, approved)
    # then the greeting that they do not have counts for nothing, and their length still does
    assert kept.weights["greeting"] == 0 and "length" not in kept.weights
    assert style.score(approved[0], kept).total > style.score(approved[0], STYLE).total
