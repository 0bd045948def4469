"""What the model server says of its own work since it started, read from its /metrics (our server's names)."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bot.settings import Settings

TIMEOUT_SECONDS = 2


@dataclass(frozen=True)
class Throughput:
    """Times are medians in milliseconds, shares between 0 and 1; None where there is nothing to measure."""

    waiting: int
    answering: int
    mean_batch: float | None
    first_token_ms: float | None
    between_tokens_ms: float | None
    known_share: float | None  # of all tokens of prompts, those that needed no second reading
    tokens: dict[str, int]  # written, by adapter


def read(settings: Settings) -> Throughput | None:
    """The server's figures; None where it does not answer, or is another than ours."""
    key = {"Authorization": f"Bearer {settings.model_api_key.get_secret_value()}"}
    try:
        response = httpx.get(f"{settings.model_url}/metrics", headers=key, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError:
        return None
    return parse(response.text) if response.status_code == 200 and "frontdesk_batch_size" in response.text else None


def parse(text: str) -> Throughput:
    """Figures from Prometheus' text format."""
    single: dict[str, float] = {}
    buckets: dict[str, list[tuple[float, float]]] = {}
    tokens: dict[str, int] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "frontdesk_generated_tokens_total":
                tokens[sample.labels["adapter"]] = int(sample.value)
            elif sample.name.endswith("_bucket"):
                buckets.setdefault(family.name, []).append((float(sample.labels["le"]), sample.value))
            elif not sample.labels:
                single[sample.name] = sample.value
    return Throughput(
        waiting=int(single.get("frontdesk_queue_length", 0)),
        answering=int(single.get("frontdesk_batch_size", 0)),
        mean_batch=_share(single, "frontdesk_step_rows_total", "frontdesk_steps_total"),
        first_token_ms=_median_ms(buckets.get("frontdesk_first_token_seconds", [])),
        between_tokens_ms=_median_ms(buckets.get("frontdesk_between_tokens_seconds", [])),
        known_share=_share(single, "frontdesk_prefix_tokens_total", "frontdesk_prompt_tokens_total"),
        tokens=tokens,
    )


def _share(single: dict[str, float], part: str, whole: str) -> float | None:
    return single[part] / single[whole] if single.get(whole) else None


def _median_ms(buckets: Sequence[tuple[float, float]]) -> float | None:
    """Between the two limits where half of all are passed, as if they lay evenly (Prometheus' histogram_quantile)."""
    half = max((count for _, count in buckets), default=0) / 2
    below, before = 0.0, 0.0
    for limit, count in buckets:
        if half and count >= half:
            inside = min(limit, 2 * below) - below if limit == float("inf") else limit - below
            return 1000 * (below + inside * (half - before) / (count - before))
        below, before = limit, count
    return None
