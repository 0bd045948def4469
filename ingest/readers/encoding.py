"""From bytes to characters, in whatever encoding a text was written."""

import codecs
import re
from collections.abc import Iterator

# The four bytes of UTF-32's marks begin with the two of UTF-16's, so they come first.
MARKS = [
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w-]{3,20})""", re.IGNORECASE)
# What office software of the last thirty years wrote; among all the others, guesses about short texts go astray.
LIKELY = "cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 cp1257 koi8_r shift_jis euc_jp gb18030 big5 euc_kr".split()
# Code pages that give some sense to Western text too: the first that leaves no oddity is believed.
LATIN = {"cp1250": ["cp1252", "cp1250", "iso8859_2"], "cp1254": ["cp1252", "cp1254"], "cp1257": ["cp1252", "cp1257"]}
# A sign or a capital letter inside a word.
ODD = re.compile("[a-zß-ÿ][¹³¿¼¾²ªº¥£¢§©®±¶·¸¦¬€]|[a-zß-ÿ][A-ZÀ-ÖØ-ÞŠŽŒŸĽ]")
# Languages that no Western text is taken for.
TRUSTED = {"Polish", "Czech", "Hungarian", "Turkish", "Lithuanian", "Latvian"}
SAMPLE = 100_000


def decode(content: bytes) -> str | None:
    """The text with line ends as `\\n`, or None where the content is no text."""
    for encoding in ("utf-8",) if content.isascii() and b"\0" not in content else _candidates(content):
        try:
            text = content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    return None


def _candidates(content: bytes) -> Iterator[str]:
    marked = [encoding for mark, encoding in MARKS if content.startswith(mark)][:1]
    if marked or b"\0" in content[:SAMPLE]:
        yield from marked or _wide(content[:SAMPLE])
        return
    yield "utf-8"
    declared = [match.group(1).decode() for match in [DECLARED.search(content[:2048])] if match]
    yield from (name for name in declared if not name.lower().startswith("utf-16"))
    yield from _guesses(content[:SAMPLE])  # only now, for guessing takes long


def _wide(sample: bytes) -> list[str]:
    """UTF-32 and UTF-16 without a mark: text has nearly all of its zero bytes on one side."""
    zeros = [sample[side::4].count(0) * 4 / max(len(sample), 1) for side in range(4)]
    if min(zeros[2:]) > 0.9:
        return ["utf-32-le"]
    if min(zeros[:2]) > 0.9:
        return ["utf-32-be"]
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if max(even, odd) > 0.5 and min(even, odd) < 0.1:
        return ["utf-16-le" if odd > even else "utf-16-be"]
    return []


def _guesses(sample: bytes) -> list[str]:
    high = re.findall(rb"[\x80-\xff]+", sample)
    controls = len(re.findall(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", sample))
    if controls > len(sample) / 100:
        return []
    from charset_normalizer import from_bytes  # only here, for text in UTF-8 never comes this far

    best = from_bytes(sample, cp_isolation=LIKELY).best()
    if best is not None and best.encoding in LATIN:
        able = LATIN[best.encoding][1 if best.language in TRUSTED else 0 :]
        return sorted(able, key=lambda encoding: len(ODD.findall(sample.decode(encoding, "replace"))))
    lone = all(len(run) <= 2 for run in high)
    if best is None:
        return ["cp1252"] if lone else []
    # Western accents stand alone in a word; a few of them fit any code page, so the commonest one wins.
    return ["cp1252", best.encoding] if lone and sum(map(len, high)) < 30 else [best.encoding, "cp1252"]
