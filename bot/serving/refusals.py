"""What the model server says no to. Each refusal knows the HTTP status and the OpenAI error code that it becomes."""

from typing import ClassVar

from bot.errors import AdapterRefused, FrontdeskError, ModelBusy


class Refusal(FrontdeskError):
    """A request that cannot be served as it is."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "invalid_request"


class PromptTooLong(Refusal):
    """The prompt and the tokens asked for do not fit into the model's context."""

    code = "context_length_exceeded"


class UnknownModel(Refusal):
    """Neither the base nor a loaded adapter has this name."""

    status = 404
    code = "model_not_found"


class AdapterLoaded(Refusal):
    """An adapter of this name is loaded already."""

    code = "adapter_already_loaded"


class BodyTooLarge(Refusal):
    """The request's body has more bytes than the route takes."""

    status = 413
    code = "body_too_large"


class WrongKey(Refusal):
    """The API key is missing or wrong."""

    status = 401
    code = "invalid_api_key"


class OutOfMemory(Refusal):
    """The device has no memory left for this request."""

    status = 503
    code = "out_of_memory"


class TookTooLong(Refusal):
    """The request did not finish before its deadline."""

    status = 504
    code = "timeout"


def status_of(error: FrontdeskError) -> tuple[int, str]:
    """The HTTP status and the error code of an error."""
    if isinstance(error, Refusal):
        return error.status, error.code
    if isinstance(error, ModelBusy):
        return 429, "busy"
    if isinstance(error, AdapterRefused):
        return 400, "adapter_refused"
    return 500, "internal_error"
