"""One prompt file: front matter between `---` lines, then sections that begin with `# name`.

The front matter says what the prompt is for (`purpose`), what it is filled with (`fields`), and, where the model is to
think first (`reasoning: true`), the `marker` that its answer begins with and how many `reasoning_tokens` the thinking
may take. `variant` names the prompt that this one can stand in for. What is wrong with an edit is said here.
"""

import functools
import hashlib
import re
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from langchain_core.prompts import ChatPromptTemplate

from bot.errors import PromptRefused

FOLDER = Path(__file__).parent
LONGEST_CHARACTERS = 4_000
MOST_REASONING_TOKENS = 500
_SECTION = re.compile(r"^# (\w+)[ \t]*\n", re.MULTILINE)
# A model can be talked into saying its prompt, so nothing that opens a door may stand in one.
_SECRET = re.compile(
    r"\b(?:api[ _-]?key|password|passwort|secret|token)\b\s*(?:is\b|[:=])\s*\S"
    r"|\b(?:sk|ghp|xox[abp])[-_]\w{12,}|://[^/\s:@]+:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Prompt:
    """One file: `content` is the whole of it, `version` its name with the first digits of the content's SHA-256."""

    name: str
    version: str
    content: str
    sections: dict[str, str]
    purpose: str = ""
    fields: tuple[str, ...] = ()
    reasoning: bool = False
    marker: str = ""
    reasoning_tokens: int = 0
    variant: str = ""

    @property
    def text(self) -> str:
        """The only section of a prompt that speaks to the customer."""
        return self.sections["text"]

    def chat(self) -> ChatPromptTemplate:
        """The sections as chat messages: system, user."""
        return ChatPromptTemplate.from_messages(list(self.sections.items()))


@functools.cache
def shipped(name: str) -> Prompt:
    """The file of this folder. Raises `PromptRefused` where there is none."""
    if name not in names():
        raise PromptRefused(f"There is no prompt '{name}'; there are {', '.join(names())}.")
    return read(name, (FOLDER / f"{name}.md").read_text(encoding="utf-8"))


def names() -> list[str]:
    """Every prompt that we ship."""
    return sorted(path.stem for path in FOLDER.glob("*.md"))


def variants(name: str) -> list[Prompt]:
    """The shipped files that can stand in for a prompt."""
    return [prompt for prompt in map(shipped, names()) if prompt.variant == name]


def version_of(name: str, content: str) -> str:
    """The name with the first eight hexadecimal digits of the content's SHA-256."""
    return f"{name}@{hashlib.sha256(content.encode()).hexdigest()[:8]}"


@functools.lru_cache(maxsize=64)
def read(name: str, content: str) -> Prompt:
    """Understand a file. Raises `PromptRefused` where it does not have the form of one."""
    _, opened, rest = content.partition("---\n")
    matter, closed, body = rest.partition("\n---\n")
    if not content.startswith("---\n") or not opened or not closed:
        raise PromptRefused("A prompt begins with a line of three dashes, what it is for, and three dashes again.")
    facts = _facts(matter)
    fields = facts.get("fields") or []
    if isinstance(fields, str):
        fields = [field.strip() for field in fields.split(",")]
    before, *parts = _SECTION.split(body)
    titles = parts[::2]
    if before.strip() or len(set(titles)) != len(titles):
        raise PromptRefused("Below the second line of dashes every text stands in one section that begins '# name'.")
    return Prompt(
        name=name,
        version=version_of(name, content),
        content=content,
        sections={title: text.strip() for title, text in zip(titles, parts[1::2], strict=True)},
        purpose=str(facts.get("purpose") or ""),
        fields=tuple(map(str, fields)),
        reasoning=facts.get("reasoning") is True,
        marker=str(facts.get("marker") or ""),
        reasoning_tokens=_tokens(facts.get("reasoning_tokens")),
        variant=str(facts.get("variant") or ""),
    )


def checked(name: str, content: str) -> Prompt:
    """An edit of a prompt that we ship. Raises `PromptRefused` with one sentence for each thing that is wrong."""
    prompt = read(name, content.replace("\r\n", "\n").rstrip() + "\n")
    found = problems(prompt)
    if found:
        raise PromptRefused(" ".join(found))
    return prompt


def problems(prompt: Prompt) -> list[str]:
    """What keeps a prompt from being used in place of the shipped one, a sentence each."""
    own, model = prompt, shipped(prompt.name)
    found = []
    if len(own.content) > LONGEST_CHARACTERS:
        found.append(f"The prompt has {len(own.content):,} characters; at most {LONGEST_CHARACTERS:,} are read well.")
    found += [
        f"The section '# {title}' is missing or empty." for title in model.sections if not own.sections.get(title)
    ]
    extra = [title for title in own.sections if title not in model.sections]
    found += [f"There is no place for a section '# {title}'; write '## {title}' for a heading." for title in extra]
    if set(own.fields) != set(model.fields):
        found.append(f"The line 'fields' must stay as it is: {', '.join(model.fields)}.")
    found += _field_problems(own, model)
    if own.reasoning and (not own.marker or not any(own.marker in text for text in own.sections.values())):
        found.append("With 'reasoning: true' there must be a 'marker', and a section must tell the model to write it.")
    if own.reasoning and "text" in model.sections:
        found.append("Nothing thinks before this text, so 'reasoning' has no place in it.")
    if _SECRET.search(own.content):
        found.append("This looks like a password or a key; a model can be made to say its prompt, so leave it out.")
    return found


def _field_problems(own: Prompt, model: Prompt) -> list[str]:
    try:
        used = [field for text in own.sections.values() for field in _used(text)]
    except ValueError:
        return ["A curly bracket is left open, or closed twice; for one that is meant as it is write {{ or }}."]
    missing = [f"The field {{{field}}} is missing." for field in model.fields if field not in used]
    unknown = [field for field in dict.fromkeys(used) if field not in model.fields]
    known = ", ".join(f"{{{field}}}" for field in model.fields)
    return missing + [f"The field {{{field}}} is not known here; there are {known}." for field in unknown]


def _used(text: str) -> list[str]:
    """The fields of a text as they are written, with whatever would reach into them."""
    fields = []
    for _, field, form, conversion in string.Formatter().parse(text):
        if field is not None:
            fields.append(field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else ""))
    return fields


def _facts(matter: str) -> dict[str, Any]:
    try:
        facts = yaml.safe_load(matter)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 2
        raise PromptRefused(f"Line {line} between the dashes cannot be read; each is 'name: value'.") from error
    if not isinstance(facts, dict):
        raise PromptRefused("Between the dashes each line is 'name: value'.")
    return facts


def _tokens(value: object) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or not 0 <= value <= MOST_REASONING_TOKENS:
        raise PromptRefused(f"'reasoning_tokens' is a whole number from 0 to {MOST_REASONING_TOKENS}.")
    return value
