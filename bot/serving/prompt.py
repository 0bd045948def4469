"""From chat messages to the model's prompt, through its own chat template."""

import re
from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from bot.serving.refusals import Refusal


class Prompter:
    """Writes prompts for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        # several threads read prompts at once, which transformers' own `encode` does not survive
        self._encoder = tokenizer.backend_tokenizer
        self._encoder.no_truncation()
        self._encoder.no_padding()
        marks = sorted({*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}, key=len, reverse=True)
        self._marks = re.compile("|".join(re.escape(mark) for mark in marks)) if marks else None

    def tokens(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """The token ids of the conversation and the beginning of the assistant's answer."""
        plain = [{"role": message["role"], "content": self._without_marks(message["content"])} for message in messages]
        try:
            text = self._tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=True)
        except (TemplateError, ValueError) as error:
            raise Refusal(f"The model's chat template does not take these messages: {error}.") from error
        return list(self._encoder.encode(text, add_special_tokens=False).ids)

    def _without_marks(self, text: str) -> str:
        # what a customer or a document writes must not end its message and begin another (rule: text is data)
        return self._marks.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text) if self._marks else text
