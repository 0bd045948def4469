"""How well search ranks: recall@k, nDCG@10 and MRR@10 (Järvelin & Kekäläinen 2002), for each leg and both fused."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot import retrieve
from bot.desk import Desk
from bot.records import Question

LEGS = {"dense": ("dense",), "lexical": ("lexical",), "hybrid": retrieve.LEGS}
DEPTH = 20


@dataclass(frozen=True)
class RankingReport:
    """Means over the answerable questions, each 0..1; `query_ms` is the median time of one search."""

    leg: str
    questions: int
    recall_at_1: float
    recall_at_5: float
    recall_at_20: float
    ndcg_at_10: float
    mrr_at_10: float
    query_ms: float


def evaluate(desk: Desk, questions: Sequence[Question], tell: Callable[[str], None] = print) -> list[RankingReport]:
    """Search for every answerable question by each leg alone and by both; documents count once, by their best chunk."""
    asked = [question for question in questions if question.answerable]
    reports = []
    for leg, legs in LEGS.items():
        tell(f"searching: {leg}")
        ranks, times = [], []
        for question in asked:
            begun = time.perf_counter()
            found = retrieve.search(desk, question.text, DEPTH, question.history, legs)
            times.append(1000 * (time.perf_counter() - begun))
            ranked = list(dict.fromkeys(passage.document for passage in found))
            ranks.append([document in question.documents for document in ranked])
        reports.append(_report(leg, asked, ranks, times))
    return reports


def _report(leg: str, asked: Sequence[Question], ranks: list[list[bool]], times: list[float]) -> RankingReport:
    pairs = [(hits, len(question.documents)) for hits, question in zip(ranks, asked, strict=True)]
    return RankingReport(
        leg=leg,
        questions=len(asked),
        recall_at_1=_mean([recall(hits, wanted, 1) for hits, wanted in pairs]),
        recall_at_5=_mean([recall(hits, wanted, 5) for hits, wanted in pairs]),
        recall_at_20=_mean([recall(hits, wanted, 20) for hits, wanted in pairs]),
        ndcg_at_10=_mean([ndcg(hits, wanted, 10) for hits, wanted in pairs]),
        mrr_at_10=_mean([next((1 / rank for rank, hit in enumerate(hits[:10], 1) if hit), 0.0) for hits, _ in pairs]),
        query_ms=round(statistics.median(times), 1) if times else 0.0,
    )


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
