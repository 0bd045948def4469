"""A filled prompt: the messages that the model reads, and what of its words is meant for the customer."""

import re
from collections.abc import Iterator, Sequence

from langchain_core.messages import AIMessage, BaseMessage, convert_to_openai_messages

from bot.examples import Example
from bot.prompts.file import Prompt
from bot.records import Passage


def compose(
    prompt: Prompt, *, company: str, excerpts: Sequence[Passage], question: str, examples: Sequence[Example] = ()
) -> list[BaseMessage]:
    """The system message, each example as a question with its passages and its answer, then the question itself."""

    def filled(question: str, passages: Sequence[Passage]) -> list[BaseMessage]:
        return prompt.chat().format_messages(company=company, passages=numbered(passages), question=question)

    *system, asked = filled(question, excerpts)
    shown = [(filled(one.question, one.passages)[-1], AIMessage(one.answer)) for one in examples]
    return [*system, *(message for pair in shown for message in pair), asked]


def plain(messages: Sequence[BaseMessage]) -> tuple[dict[str, str], ...]:
    """Messages as they are sent to a model and kept: `{role, content}`."""
    converted = convert_to_openai_messages(list(messages))
    assert isinstance(converted, list)  # many in, many out
    return tuple({"role": str(one["role"]), "content": str(one["content"])} for one in converted)


def numbered(passages: Sequence[Passage]) -> str:
    """Passages as the model reads them: numbered from 1, each with where it stands, none able to pose as another."""
    return "\n\n".join(f"[{n}] {place(passage)}\n{_tame(passage.text)}" for n, passage in enumerate(passages, start=1))


def place(passage: Passage) -> str:
    """Title and heading of a passage, each once."""
    heading = passage.heading if passage.heading != passage.title else ""
    return " · ".join(part for part in (passage.title, heading) if part)


def spoken(pieces: Iterator[str], prompt: Prompt) -> Iterator[str]:
    """What the customer may hear: everything, or, where the prompt lets the model think first, what follows its
    marker. Words that no marker ever follows stay unheard."""
    if not prompt.reasoning:
        yield from pieces
        return
    held, begun = "", False
    for piece in pieces:
        held += piece
        if not begun:
            _, mark, held = _after(held, prompt.marker)
            begun = bool(mark)
        if begun and held:
            yield held
            held = ""


def _after(held: str, marker: str) -> tuple[str, str, str]:
    before, mark, after = held.partition(marker)
    if mark:
        return before, mark, after.lstrip()
    return "", "", held[-len(marker) :]  # the marker may be split over pieces


def _tame(text: str) -> str:
    # A document must not be able to begin a passage, or the question, of its own.
    return re.sub(r"^(\s*)(\[\d+\]|question:)", r"\1 - \2", text, flags=re.MULTILINE | re.IGNORECASE)
