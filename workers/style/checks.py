"""What a candidate must show, on two axes: the style rises, the facts stay; and nothing else breaks.

Two voices answer the same questions, so every difference is paired, with its 95 % bootstrap interval
(`bot.quality.intervals`). A style that was not there must surely be there now. Of the rest it must be sure that it has
not fallen by more than a margin, which a handful of questions cannot be: ask more, or it does not pass.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.quality import intervals, measures, mistakes
from bot.quality.answers import AnswerReport
from bot.quality.intervals import Interval
from bot.quality.measures import MEASURES, Measure
from bot.quality.outcomes import Outcome
from bot.quality.style import StyleGain, StyleReport

Axis = Literal["style", "facts", "rest"]

LEAST_LOSS_GAIN = 0.02  # of the base's held-out loss
LOSS_SLACK = 0.02  # of the held-out loss of a style that speaks already
LEAST_STYLE_GAIN = 0.05  # 5 points of 100, over a base without a style
STYLE_SLACK = 0.05  # over a style that speaks already
LEAST_PAIRS = 4

FACT_SLACK = 0.02  # a measure of facts may fall by so much of itself
# ... and its paired difference must surely be above the margin that stands beside its title. One lost answer in fifty
# moves the lower end by 6 points; the right words differ by .3 from answer to answer, so over 35 answers the interval
# of two equal voices reaches .1 down; F1 differs more, where other words are pointed out or none.
# F1 is that of the words that answer: over whole answers it falls with every word of courtesy, which a style is for.
FACTS = {
    "span_recall": ("Right words said", 0.12),
    "span_f1": ("Token F1 of the words that answer", 0.12),
    "abstention_f1": ("Abstention F1", 0.1),
    "citation_precision": ("Citation precision", 0.08),
    "supported": ("Supported sentences", 0.08),
}

MOST_KL = 0.5  # nats a token, between the base's and the candidate's next tokens where no passage is shown
MOST_FORGOTTEN = 0.1  # of the general questions, more lost than found
BY_CHANCE = 0.05  # as many lost beside so few found happen by chance as often as this

MOST_MORE = 0.05  # of the answers may show a mistake that did not show it before
BROKEN = {
    "too_long": "Too long answers",
    "repetition": "Repetition",
    "misspelling": "Misspelling",
}
MOST_SLOWER = 3.0  # times the median of a whole answer: a version may be asked twice, and other work moves it, too


@dataclass(frozen=True)
class Check:
    """One measure of the version that spoke before and of the candidate. `low` and `high` are the ends of the paired
    difference's 95 % interval, None where nothing was paired; `why` is the rule, in words."""

    name: str
    before: float
    after: float
    passed: bool
    better: str
    axis: Axis = "facts"
    why: str = ""
    low: float | None = None
    high: float | None = None


def style_checks(meta: dict[str, Any], gained: StyleGain, *, spoken: bool) -> list[Check]:
    """The candidate must speak the style better than the base, or no worse than a style that speaks already."""
    checks = _loss_checks(meta)
    enough = gained.pairs >= LEAST_PAIRS
    before, after = round(100 * gained.before, 1), round(100 * gained.after, 1)
    low, high = gained.difference.low, gained.difference.high
    if spoken:
        passed, why = low > -STYLE_SLACK, f"surely no more than {100 * STYLE_SLACK:g} points lower"
        won, rule = gained.won.high >= 0.5, "not surely less than half of the pairs"
    else:
        passed = low > 0 and gained.difference.value >= LEAST_STYLE_GAIN
        why = f"surely higher, and by {100 * LEAST_STYLE_GAIN:g} points or more"
        won, rule = gained.won.low > 0.5, "surely more than half of the pairs"
    few = "" if enough else f"; only {gained.pairs} questions were answered by both, {LEAST_PAIRS} are needed"
    score = Check("Style score", before, after, enough and passed, "higher", "style", why + few, 100 * low, 100 * high)
    pairs = Check("Pairs won by style", 0.5, gained.won.value, enough and won, "higher", "style", rule + few)
    return [*checks, score, replace(pairs, low=gained.won.low - 0.5, high=gained.won.high - 0.5)]


def fact_checks(before: AnswerReport, after: AnswerReport) -> list[Check]:
    """No measure of the answers' facts may fall by more than 2 % of itself, nor be possibly lower by more than its
    margin."""
    wanted = {name: MEASURES[name] for name in FACTS}
    checks = []
    for name, (was, now, apart) in _paired(before.outcomes, after.outcomes, wanted).items():
        title, margin = FACTS[name]
        held = now >= (1 - FACT_SLACK) * was and (not apart.measured or apart.low >= -margin)
        why = f"at least {1 - FACT_SLACK:g} times as high, and surely no more than {100 * margin:g} points lower"
        checks.append(Check(title, was, now, held, "higher", "facts", why, *_ends(apart)))
    return checks


def probe_checks(found: dict[str, Any]) -> list[Check]:
    """What the model knows without any passage must be what the base knows. A very small model finds some answers and
    loses others with every change of its weights; it knows less where it surely loses more than it finds (sign test,
    one-sided)."""
    questions, known = max(1, found["questions"]), found["known"]
    right = known - found["lost"] + found["found"]
    changed = found["lost"] + found["found"]
    by_chance = sum(math.comb(changed, lost) for lost in range(found["lost"], changed + 1)) / 2**changed
    return [
        Check(
            "Closed-book divergence (KL)",
            0.0,
            found["kl"],
            found["kl"] <= MOST_KL,
            "lower",
            "facts",
            f"at most {MOST_KL:g} nats a token from the base, without passages",
        ),
        Check(
            "Closed-book answers that are right",
            known / questions,
            right / questions,
            known - right <= MOST_FORGOTTEN * questions or by_chance > BY_CHANCE,
            "higher",
            "facts",
            f"{found['lost']} lost and {found['found']} found of {questions} general questions; no more than "
            f"{100 * MOST_FORGOTTEN:g} % of them may be lost for sure",
        ),
    ]


def other_checks(
    before: AnswerReport, after: AnswerReport, styled_before: StyleReport, styled_after: StyleReport
) -> list[Check]:
    """Nothing else may break: length, repetition, spelling, phrases to avoid, language, time."""
    wanted = {name: mistakes.SHARES[name] for name in BROKEN}
    checks = []
    for name, (was, now, apart) in _paired(before.outcomes, after.outcomes, wanted).items():
        why = f"at most {100 * MOST_MORE:g} points more of the questions"
        checks.append(Check(BROKEN[name], was, now, now <= was + MOST_MORE, "lower", "rest", why, *_ends(apart)))
    for part, name in (("avoid", "Answers without phrases to avoid"), ("language", "Answers in the right language")):
        was, now = (_clean(report, part) for report in (styled_before, styled_after))
        why = f"at most {100 * MOST_MORE:g} points fewer"
        checks.append(Check(name, was, now, now >= was - MOST_MORE, "higher", "rest", why))
    slow = after.total_ms <= MOST_SLOWER * before.total_ms
    why = f"at most {MOST_SLOWER:g} times as long"
    return [
        *checks,
        Check("Milliseconds to the whole answer", before.total_ms, after.total_ms, slow, "lower", "rest", why),
    ]


def _loss_checks(meta: dict[str, Any]) -> list[Check]:
    base, spoken, after = meta["held_out_before"], meta["held_out_speaking"], meta["held_out_after"]
    why = f"at least {100 * LEAST_LOSS_GAIN:g} % lower than the base's"
    low_enough = after <= (1 - LEAST_LOSS_GAIN) * base
    checks = [Check("Held-out loss", base, after, low_enough, "lower", "style", why)]
    if spoken is not None:
        no_worse = after <= (1 + LOSS_SLACK) * spoken
        why = f"at most {100 * LOSS_SLACK:g} % higher"
        checks.append(Check("Held-out loss beside the active version", spoken, after, no_worse, "lower", "style", why))
    return checks


def _paired(
    before: Sequence[Outcome], after: Sequence[Outcome], wanted: dict[str, Measure]
) -> dict[str, tuple[float, float, Interval]]:
    """Each measure before and after, and the paired difference."""
    earlier, later = measures.table(before, wanted), measures.table(after, wanted)
    values = (intervals.ratios(*earlier), intervals.ratios(*later), intervals.differences(earlier, later))
    return {name: (was.value, now.value, apart) for name, was, now, apart in zip(wanted, *values, strict=True)}


def _ends(apart: Interval) -> tuple[float | None, float | None]:
    return (apart.low, apart.high) if apart.measured else (None, None)


def _clean(report: StyleReport, part: str) -> float:
    """The share of answers in which a part of the style is kept whole; 1 where it is not asked for."""
    kept = [one.score.parts[part].value == 1 for one in report.scored if part in one.score.parts]
    return round(sum(kept) / len(kept), 4) if kept else 1.0
