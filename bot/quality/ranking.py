"""How well search ranks: recall@k, nDCG@10 and MRR@10 (Järvelin & Kekäläinen 2002), for each leg and both fused, and in
conversations for the last turn alone beside the question in its context."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot import retrieve
from bot.desk import Desk
from bot.quality import intervals
from bot.records import Question, Turn

LEGS = {"dense": ("dense",), "lexical": ("lexical",), "hybrid": retrieve.LEGS}
DEPTH = 20
LAST_TURN, WITH_HISTORY = "last turn", "with history"


@dataclass(frozen=True)
class RankingReport:
    """Means over the answerable questions, each 0..1. `asked` says with how much of the conversation; `missed_at_5` how
    many questions lack a wanted document among the first five, a part of one where some of several are there.
    `query_ms` is the median time of one search, `query_ms_p95` its 95th percentile. `gain_at_5` is what the hybrid has
    over the better leg in recall@5, as (value, low, high) with the 95 % interval of a paired bootstrap."""

    leg: str
    questions: int
    recall_at_1: float
    recall_at_5: float
    recall_at_20: float
    ndcg_at_10: float
    mrr_at_10: float
    query_ms: float
    query_ms_p95: float = 0.0
    missed_at_5: float = 0.0
    asked: str = WITH_HISTORY
    gain_at_5: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class _Run:
    """Which of the documents found for each question are wanted ones, best first, and the milliseconds each took."""

    leg: str
    asked: str
    hits: list[list[bool]]
    times: list[float]


def evaluate(desk: Desk, questions: Sequence[Question], tell: Callable[[str], None] = print) -> list[RankingReport]:
    """Search for every answerable question by each leg alone and by both; documents count once, by their best chunk.
    Where questions have a history, those are also asked by their last turn alone, by both legs."""
    asked = [question for question in questions if question.answerable]
    runs = [_run(desk, asked, leg, WITH_HISTORY, tell) for leg in LEGS]
    reports = [_report(run, asked) for run in runs]
    if asked:
        better = max(runs[:-1], key=lambda run: sum(_recalls(run, asked)))
        reports[-1] = replace(reports[-1], gain_at_5=_gain(_recalls(better, asked), _recalls(runs[-1], asked)))
    talks = [question for question in asked if question.history]
    if talks:
        reports += [_report(_run(desk, talks, "hybrid", how, tell), talks) for how in (LAST_TURN, WITH_HISTORY)]
    return reports


def _run(desk: Desk, asked: Sequence[Question], leg: str, how: str, tell: Callable[[str], None]) -> _Run:
    tell(f"searching: {leg}, {how}")
    hits, times = [], []
    for question in asked:
        history: tuple[Turn, ...] = question.history if how == WITH_HISTORY else ()
        begun = time.perf_counter()
        found = retrieve.search(desk, question.text, DEPTH, history, LEGS[leg])
        times.append(1000 * (time.perf_counter() - begun))
        ranked = dict.fromkeys(passage.document for passage in found)
        hits.append([document in question.documents for document in ranked])
    return _Run(leg, how, hits, times)


def _report(run: _Run, asked: Sequence[Question]) -> RankingReport:
    pairs = [(hits, len(question.documents)) for hits, question in zip(run.hits, asked, strict=True)]
    return RankingReport(
        leg=run.leg,
        questions=len(asked),
        recall_at_1=_mean([recall(hits, wanted, 1) for hits, wanted in pairs]),
        recall_at_5=_mean([recall(hits, wanted, 5) for hits, wanted in pairs]),
        recall_at_20=_mean([recall(hits, wanted, 20) for hits, wanted in pairs]),
        ndcg_at_10=_mean([ndcg(hits, wanted, 10) for hits, wanted in pairs]),
        mrr_at_10=_mean([next((1 / rank for rank, hit in enumerate(hits[:10], 1) if hit), 0.0) for hits, _ in pairs]),
        query_ms=round(statistics.median(run.times), 1) if run.times else 0.0,
        query_ms_p95=round(float(np.percentile(run.times, 95)), 1) if run.times else 0.0,
        missed_at_5=round(len(asked) - sum(_recalls(run, asked)), 2),
        asked=run.asked,
    )


def _recalls(run: _Run, asked: Sequence[Question]) -> list[float]:
    return [recall(hits, len(question.documents), 5) for hits, question in zip(run.hits, asked, strict=True)]


def _gain(before: Sequence[float], after: Sequence[float]) -> tuple[float, float, float]:
    """How much a mean grew over the same questions."""
    wholes = np.ones((len(before), 1))
    (grown,) = intervals.differences(
        (np.array(before).reshape(-1, 1), wholes), (np.array(after).reshape(-1, 1), wholes)
    )
    return grown.value, grown.low, grown.high


def recall(hits: Sequence[bool], wanted: int, k: int) -> float:
    """The share of the wanted documents among the first `k`, where at most `k` can be."""
    return sum(hits[:k]) / min(wanted, k) if wanted else 0.0


def ndcg(hits: Sequence[bool], wanted: int, k: int) -> float:
    """Discounted gain of the first `k`, as a share of the best possible."""
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(wanted, k) + 1))
    gained = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits[:k], 1) if hit)
    return gained / best if best else 0.0


def _mean(values: Sequence[float]) -> float:
    return round(statistics.fmean(values), 4) if values else 0.0
