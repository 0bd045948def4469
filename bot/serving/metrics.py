"""The figures that /metrics shows, in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.serving.engine import Engine

FIRST_TOKEN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


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
        self.generated_tokens = Counter(
            "frontdesk_generated_tokens", "Tokens written, by adapter", ["adapter"], registry=self.registry
        )
        queue = Gauge("frontdesk_queue_length", "Chat requests that wait for their turn", registry=self.registry)
        queue.set_function(lambda: engine.waiting)

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
