"""The figures that /metrics shows, in Prometheus' text format."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.serving.engine import Engine

FIRST_TOKEN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
BETWEEN_TOKENS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """The counters of one app."""

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "frontdesk_requests", "Requests by route and status", ["route", "status"], registry=self.registry
        )
        self.first_token_seconds = Histogram(
            "frontdesk_first_token_seconds",
            "From the arrival of a chat request to its first text",
            buckets=FIRST_TOKEN_BUCKETS,
            registry=self.registry,
        )
        self.between_tokens_seconds = Histogram(
            "frontdesk_between_tokens_seconds",
            "From one piece of an answer to the next",
            buckets=BETWEEN_TOKENS_BUCKETS,
            registry=self.registry,
        )
        self.generated_tokens = Counter(
            "frontdesk_generated_tokens", "Tokens written, by adapter", ["adapter"], registry=self.registry
        )
        self.registry.register(_Batch(engine))

    def counting(self, app: ASGIApp, routes: set[str]) -> ASGIApp:
        """The app, with each of its answers counted; paths that are no routes are counted together."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route = scope["path"] if scope["path"] in routes else "other"
                    self.requests.labels(route, message["status"]).inc()
                await send(message)

            await app(scope, receive, noted)

        return counted

    def text(self) -> bytes:
        """What a scraper reads."""
        return generate_latest(self.registry)


class _Batch:
    """What the engine counts, read when it is asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """prometheus_client's interface of a collector."""
        engine, tally = self._engine, self._engine.tally
        yield GaugeMetricFamily("frontdesk_queue_length", "Chat requests that wait for their turn", engine.waiting)
        yield GaugeMetricFamily("frontdesk_batch_size", "Chat requests that are being answered", engine.running)
        yield GaugeMetricFamily("frontdesk_prefix_bytes", "Memory of beginnings of prompts", engine.prefix_bytes)
        yield CounterMetricFamily("frontdesk_steps", "Forwards of the model", tally.steps)
        yield CounterMetricFamily("frontdesk_step_rows", "Requests in all forwards together", tally.rows)
        yield CounterMetricFamily("frontdesk_prefix_requests", "Requests that began", tally.joined)
        yield CounterMetricFamily("frontdesk_prefix_hits", "Of those, with a known beginning", tally.cache_hits)
        yield CounterMetricFamily("frontdesk_prompt_tokens", "Tokens of prompts", tally.prompt_tokens)
        yield CounterMetricFamily("frontdesk_prefix_tokens", "Of those, not read again", tally.cached_tokens)
