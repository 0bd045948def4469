"""Prompts are the Markdown files of this folder; the file is the identity. They are loaded, hashed and filled here.

A file holds front matter between `---` lines, then sections that begin with `# name`.
"""

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from langchain_core.prompts import ChatPromptTemplate

from bot.records import Passage

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Prompt:
    """One file: its name, its sections, and `version`, the name with the first digits of the file's SHA-256."""

    name: str
    version: str
    sections: dict[str, str]

    @property
    def text(self) -> str:
        """The only section of a prompt that speaks to the customer."""
        return self.sections["text"]

    def chat(self) -> ChatPromptTemplate:
        """The sections as chat messages: system, user."""
        return ChatPromptTemplate.from_messages(list(self.sections.items()))


@functools.cache
def load(name: str) -> Prompt:
    """Read `NAME.md`."""
    content = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    body = content.split("---\n", 2)[2]
    parts = re.split(r"^# (\w+)\n", body, flags=re.MULTILINE)[1:]
    sections = {title: text.strip() for title, text in zip(parts[::2], parts[1::2], strict=True)}
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    return Prompt(name, f"{name}@{digest}", sections)


def numbered(passages: Sequence[Passage]) -> str:
    """Passages as the model reads them: numbered from 1, each with where it stands, none able to pose as another."""
    return "\n\n".join(f"[{n}] {place(passage)}\n{_tame(passage.text)}" for n, passage in enumerate(passages, start=1))


def place(passage: Passage) -> str:
    """Title and heading of a passage, each once."""
    heading = passage.heading if passage.heading != passage.title else ""
    return " · ".join(part for part in (passage.title, heading) if part)


def _tame(text: str) -> str:
    # A document must not be able to begin a passage, or the question, of its own.
    return re.sub(r"^(\s*)(\[\d+\]|question:)", r"\1 - \2", text, flags=re.MULTILINE | re.IGNORECASE)
