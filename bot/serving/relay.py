"""Between the event loop and the thread that writes: pieces come across as they are written, and leaving stops them.

The writing thread never waits for a client, so one who reads slowly keeps nobody else waiting; at most `MAX_TOKENS`
pieces pile up.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from bot.serving.generation import Arrival, Generation


async def pieces(generation: Generation) -> AsyncIterator[str]:
    """The text of a generation; when the reader stops reading, the writing stops."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[Arrival] = asyncio.Queue()

    def hand_over(arrival: Arrival) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(arrived.put_nowait, arrival)

    generation.follow(hand_over)
    try:
        while (piece := await arrived.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece
    finally:
        generation.cancel()


@asynccontextmanager
async def cancelled_on_leaving(request: Request, generation: Generation) -> AsyncIterator[None]:
    """Inside this block, the client's hanging up cancels the generation."""
    watcher = asyncio.create_task(_watch(request, generation))
    try:
        yield
    finally:
        watcher.cancel()


async def _watch(request: Request, generation: Generation) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    generation.cancel()
