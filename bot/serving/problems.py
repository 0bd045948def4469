"""How errors are answered: OpenAI's error body and a fitting status, whatever went wrong."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from bot.errors import FrontdeskError
from bot.log import get_log
from bot.serving.refusals import status_of
from bot.serving.wire import error_body

RETRY_SECONDS = 2

log = get_log(__name__)


def answer_problems(app: FastAPI) -> None:
    """Teach an app to answer errors in OpenAI's shape."""
    app.add_exception_handler(FrontdeskError, _ours)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FrontdeskError)
    status, code = status_of(error)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503) else None
    return JSONResponse(error_body(str(error), type(error).__name__, code), status, headers)


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or "body"
    message = f"The field '{field}': {first['msg']}."
    return JSONResponse(error_body(message, "invalid_request_error", first["type"]), 400)


async def _no_such_route(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}."
    return JSONResponse(error_body(message, "invalid_request_error", "no_such_route"), error.status_code)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", path=request.url.path, exc_info=error)
    return JSONResponse(error_body("Something went wrong in the model server.", "server_error", "internal_error"), 500)
