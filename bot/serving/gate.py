"""What every request passes before its route: the API key, then the size of its body. Nothing is parsed before that."""

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.serving.refusals import BodyTooLarge, Refusal, WrongKey
from bot.serving.wire import error_body

CHAT_BYTES = 64 * 1024
EMBEDDINGS_BYTES = 1024 * 1024  # a batch of chunks is larger than a conversation


class Gate:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self._app = app
        self._expected = f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through with its body read, or answer with the refusal."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            self._check_key(request)
            body = await _read(request)
        except Refusal as refusal:
            await refuse(refusal)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    def _check_key(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        if not secrets.compare_digest(given, self._expected):
            raise WrongKey(
                "The API key is missing or wrong; send `Authorization: Bearer KEY` (FRONTDESK_MODEL_API_KEY)."
            )


def refuse(refusal: Refusal) -> JSONResponse:
    """A refusal as a response."""
    return JSONResponse(error_body(str(refusal), type(refusal).__name__, refusal.code), refusal.status)


async def _read(request: Request) -> bytes:
    most = EMBEDDINGS_BYTES if request.url.path == "/v1/embeddings" else CHAT_BYTES
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > most:
            raise BodyTooLarge(f"The request is larger than {most} bytes.")
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed
