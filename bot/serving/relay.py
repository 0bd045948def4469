"""Between the event loop and the threads that write: pieces come across as they are written, and leaving stops them.

A generation is driven by one thread that never waits for the client, so a client who reads slowly keeps nobody else
waiting; at most `MAX_TOKENS` pieces pile up.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from starlette.requests import Request

from bot.serving.generation import Generation

WRITERS = 16  # more than the places in the engine's line, so that a place is never held by a thread that is not there

_writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="writer")


async def pieces(generation: Generation) -> AsyncIterator[str]:
    """The text of a generation; when the reader stops reading, the writing stops."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[str | Exception | None] = asyncio.Queue()

    def write() -> None:
        end: Exception | None = None
        try:
            for piece in generation:
                loop.call_soon_threadsafe(arrived.put_nowait, piece)
        except Exception as error:  # noqa: BLE001  it is raised again where the request is answered
            end = error
        loop.call_soon_threadsafe(arrived.put_nowait, end)

    loop.run_in_executor(_writers, write)
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
