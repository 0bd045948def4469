"""The answer to /v1/chat/completions: whole, or as a stream of server-sent events."""

import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bot.errors import FrontdeskError
from bot.serving.engine import Engine
from bot.serving.generation import Generation, GenerationRequest
from bot.serving.metrics import Metrics
from bot.serving.refusals import status_of
from bot.serving.relay import cancelled_on_leaving, pieces
from bot.serving.wire import ChatBody, Json, error_body, usage

CLIENT_LEFT = 499


class Chat:
    """One chat request on its way through the engine."""

    def __init__(self, engine: Engine, metrics: Metrics, body: ChatBody, background: bool = False) -> None:
        self._background = background
        self._engine = engine
        self._metrics = metrics
        self._body = body
        self._arrival = time.monotonic()
        self._head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": body.model}

    async def answer(self, request: Request) -> Response:
        """Write the answer. What goes wrong before the first piece becomes a status, afterwards an event."""
        # not in a thread: were this task cancelled meanwhile, nobody would stop the answer that it asked for
        generation = self._engine.generate(self._asked())
        if not self._body.stream:
            return await self._whole(request, generation)
        events = self._events(request, generation)
        first = await anext(events)
        return StreamingResponse(_after(first, events), media_type="text/event-stream")

    def _asked(self) -> GenerationRequest:
        body = self._body
        return GenerationRequest(
            messages=tuple(message.model_dump() for message in body.messages),
            adapter=None if body.model == self._engine.name else body.model,
            max_tokens=body.tokens_wanted,
            temperature=body.temperature,
            top_p=body.top_p,
            seed=body.seed,
            stop=body.stops,
            background=self._background,
        )

    async def _measured(self, request: Request, generation: Generation) -> AsyncIterator[str]:
        before, histogram = self._arrival, self._metrics.first_token_seconds
        try:
            async with cancelled_on_leaving(request, generation):
                async for piece in pieces(generation):
                    now = time.monotonic()
                    histogram.observe(now - before)
                    before, histogram = now, self._metrics.between_tokens_seconds
                    yield piece
        finally:
            self._metrics.generated_tokens.labels(self._body.model).inc(generation.completion_tokens)

    async def _whole(self, request: Request, generation: Generation) -> Response:
        text = "".join([piece async for piece in self._measured(request, generation)])
        if generation.finish_reason == "cancelled":
            return Response(status_code=CLIENT_LEFT)
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": generation.finish_reason}
        counts = usage(generation.prompt_tokens, generation.completion_tokens)
        return JSONResponse({**self._head, "object": "chat.completion", "choices": [choice], "usage": counts})

    async def _events(self, request: Request, generation: Generation) -> AsyncIterator[str]:
        started = False
        try:
            async for piece in self._measured(request, generation):
                if not started:
                    yield self._chunk({"role": "assistant", "content": ""})
                    started = True
                yield self._chunk({"content": piece})
        except FrontdeskError as error:
            if not started:
                raise
            yield _event(error_body(str(error), type(error).__name__, status_of(error)[1]))
            return
        if not started:
            yield self._chunk({"role": "assistant", "content": ""})
        yield self._chunk({}, generation.finish_reason)
        if self._body.wants_usage:
            counts = usage(generation.prompt_tokens, generation.completion_tokens)
            yield _event({**self._head, "object": "chat.completion.chunk", "choices": [], "usage": counts})
        yield "data: [DONE]\n\n"

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _event({**self._head, "object": "chat.completion.chunk", "choices": [choice]})


def _event(data: Any) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


async def _after(first: str, events: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for event in events:
        yield event
