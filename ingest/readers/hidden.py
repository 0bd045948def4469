"""Characters that nobody sees: left out, so that a document cannot say one thing to people and another to the bot."""

import re
from collections.abc import Iterable
from dataclasses import replace

from ingest.readers.reading import Reading

# Zero-width spaces, direction overrides and isolates, tag characters; joiners only beside ASCII, where no script
# and no emoji needs them.
INVISIBLE = re.compile(
    "[\u200b\u2060-\u2064\u2066-\u206f\u202a-\u202e\u180e\U000e0000-\U000e0fff]"
    "|[\u200c\u200d](?=[\x00-\x7f]|$)|(?<=[\x00-\x7f])[\u200c\u200d]"
)
# What layout and terminals leave: colour codes, control characters, soft hyphens, byte order and direction marks.
NOISE = re.compile(
    "\x1b\\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\ufeff\u200e\u200f\ufffe\uffff\ud800-\udfff]"
)
LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00a0": " "}
)
SPACE = re.compile(r"\s")
NOTE = "Hidden text was left out: "


def note(kinds: Iterable[str]) -> tuple[str, ...]:
    """The sentence for the content owner about hidden text of these kinds; none without any."""
    found = sorted(set(kinds))
    return (f"{NOTE}{', '.join(found)}.",) if found else ()


def cleaned(reading: Reading) -> Reading:
    """The reading without invisible characters and empty blocks."""
    blocks = tuple(
        block if text == block.text else replace(block, text=text)
        for block in reading.blocks
        if (text := visible(block.text))
    )
    seen = any(INVISIBLE.search(block.text) for block in reading.blocks)
    notes = (*reading.notes, *note(["invisible characters"] if seen else []))
    return Reading(visible(reading.title), blocks, reading.pages, notes)


def shown(name: str) -> str:
    """A file's name as a sentence can hold it: on one line, and without characters that turn its letters around."""
    return SPACE.sub(" ", visible(name))


def visible(text: str) -> str:
    """The text without characters that nobody sees, and with its ligatures spelled out."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return NOISE.sub("", INVISIBLE.sub("", text)).translate(LIGATURES).strip()
