"""Customer text, document text and feedback are data. Everything of that kind that a page shows goes through here.

Bodies become escaped HTML for `st.html`, which knows no Markdown at all. Labels (of buttons, expanders, messages)
are always Markdown in Streamlit, so there every sign that means something to it is disarmed.
"""

import difflib
import html
import re
from collections.abc import Sequence

from bot import sentences

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=])")
# Streamlit finds these after parsing, where a backslash no longer helps; an invisible joiner breaks them up.
_FOUND_LATE = re.compile(r"(?<=[:@])|(?<=www)(?=\.)", re.IGNORECASE)
_JOINER = "\u2060"
_WORD = re.compile(r"\S+\s*|\s+")
_MARKER = re.compile(r"\[(\d{1,2})\]")


def label(text: str) -> str:
    """Text that stands in a Markdown label exactly as it is: no link, image, icon, colour, formula or list."""
    return _disarmed(" ".join(text.split()))


def sentence(text: str) -> str:
    """A message of ours, as a label: data in it is disarmed, and a `command` between backticks looks like one."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0 or "" in parts[1::2]:
        return label(text)
    return "".join(f"`{part}`" if number % 2 else _disarmed(part) for number, part in enumerate(parts))


def body(text: str, kind: str = "fd-text") -> str:
    """Text as inert HTML that keeps its line breaks; `kind` is one of our own style classes."""
    return f'<div class="{kind}">{html.escape(text)}</div>'


def answer_body(text: str, keys: Sequence[str] = ()) -> str:
    """An answer as inert HTML, its citation markers `[n]` set off. `keys` are the words to set off in each sentence."""
    said = sentences.split(text)
    escaped = " ".join(map(_emphasised, said, keys)) if len(said) == len(keys) else html.escape(text)
    marked = _MARKER.sub(r'<span class="fd-marker">[\1]</span>', escaped)
    return f'<div class="fd-text fd-answer">{marked}</div>'


def highlighted(text: str, quotes: list[str]) -> str:
    """A passage as inert HTML with its quotes marked, where they occur in it word for word."""
    spans = sorted((text.find(quote), text.find(quote) + len(quote)) for quote in set(quotes) if quote in text)
    pieces, place = [], 0
    for start, end in spans:
        if end > place:
            start = max(start, place)
            pieces += [html.escape(text[place:start]), "<mark>", html.escape(text[start:end]), "</mark>"]
            place = end
    return f'<div class="fd-text fd-passage">{"".join([*pieces, html.escape(text[place:])])}</div>'


def difference(before: str, after: str) -> str:
    """Two texts as one piece of inert HTML: words of the first alone are struck out, those of the second set off."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    pieces = []
    for kind, start, end, first, last in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = (html.escape("".join(words)) for words in (old[start:end], new[first:last]))
        if kind == "equal":
            pieces.append(gone)
        else:
            pieces += [f"<del>{gone}</del>" if gone else "", f"<ins>{come}</ins>" if come else ""]
    return f'<div class="fd-text fd-difference">{"".join(pieces)}</div>'


def _emphasised(said: str, key: str) -> str:
    # what goes before, between and after is escaped by itself, so that no key can cut an entity in two
    start, end = sentences.span(key, said)
    before, words, after = (html.escape(part) for part in (said[:start], said[start:end], said[end:]))
    return f"{before}<strong>{words}</strong>{after}" if words else after


def _disarmed(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", _FOUND_LATE.sub(_JOINER, text))
