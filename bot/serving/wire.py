"""The bodies of the interface, as OpenAI and vLLM define them: what is asked, and how answers are shaped.

Fields that this server does not honour are refused, so that nobody believes that they had an effect.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_TOKENS = 1024
DEFAULT_TOKENS = 128
MAX_MESSAGES = 64
MAX_TEXTS = 256

Json = dict[str, Any]


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(Body):
    """One message: text only."""

    role: Literal["system", "user", "assistant"]
    content: str


class StreamOptions(Body):
    """`include_usage` asks for a last chunk with the token counts."""

    include_usage: bool = False


class ChatBody(Body):
    """The body of /v1/chat/completions."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_tokens: Annotated[int | None, Field(ge=1, le=MAX_TOKENS)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1, le=MAX_TOKENS)] = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int | None, Field(ge=0, lt=2**63)] = None
    stop: Annotated[list[str], Field(max_length=4)] | str | None = None
    n: Literal[1] = 1
    stream: bool = False
    stream_options: StreamOptions | None = None

    @property
    def tokens_wanted(self) -> int:
        """The new name wins over the old."""
        return self.max_completion_tokens or self.max_tokens or DEFAULT_TOKENS

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings, however they were written."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def wants_usage(self) -> bool:
        """Whether the stream ends with the token counts."""
        return bool(self.stream_options and self.stream_options.include_usage)


class EmbeddingsBody(Body):
    """The body of /v1/embeddings."""

    model: str
    input: Annotated[list[str], Field(min_length=1, max_length=MAX_TEXTS)] | str
    encoding_format: Literal["float", "base64"] = "float"

    @property
    def texts(self) -> list[str]:
        """One text or many, as a list."""
        return [self.input] if isinstance(self.input, str) else self.input


class LoadAdapterBody(Body):
    """The body of /v1/load_lora_adapter."""

    lora_name: Annotated[str, Field(pattern=r"^[\w][\w.:-]{0,127}$")]
    lora_path: Annotated[str, Field(min_length=1, max_length=4096)]


class UnloadAdapterBody(Body):
    """The body of /v1/unload_lora_adapter."""

    lora_name: str


def error_body(message: str, kind: str, code: str) -> Json:
    """OpenAI's shape of an error."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def usage(prompt_tokens: int, completion_tokens: int) -> Json:
    """OpenAI's token counts."""
    total = prompt_tokens + completion_tokens
    return {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total}


def model_card(name: str, root: str, parent: str | None, created: int) -> Json:
    """One line of /v1/models; an adapter's parent is its base."""
    return {"id": name, "object": "model", "created": created, "owned_by": "frontdesk", "root": root, "parent": parent}
