"""Numbers, times and names as a person would say them."""

import unicodedata
from datetime import UTC, datetime

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def count(number: int, noun: str, several: str = "") -> str:
    """`1 piece`, `3 pieces`; `several` is for a noun that does not end in s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {several or f'{noun}s'}"


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago something happened."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{count(int(seconds // length), unit)} ago"
    return "just now"


def day(seconds: float) -> str:
    """`1 Dec 2026`: the day of this machine in which a moment, in seconds since 1970, lies."""
    moment = datetime.fromtimestamp(seconds)
    return f"{moment.day} {moment:%b %Y}"


def duration(milliseconds: float) -> str:
    """`340 ms`, `3.2 s`, `4 min`, `3 hours`."""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 120_000:
        return f"{milliseconds / 1_000:.1f} s"
    return f"{milliseconds / 60_000:.0f} min" if milliseconds < 7_200_000 else _long(milliseconds / 1_000)


def rate(per_second: float) -> str:
    """`38 a second`, `12 a minute`."""
    return f"{per_second:,.0f} a second" if per_second >= 1 else f"{max(1, round(60 * per_second))} a minute"


def time_left(seconds: float) -> str:
    """`a few seconds left`, `about 40 s left`, `about 2 min left`, `about 3 hours left`."""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 90:
        return f"about {10 * round(seconds / 10)} s left"
    return f"about {seconds / 60:.0f} min left" if seconds < 7_200 else f"about {_long(seconds)} left"


def name(path: str) -> str:
    """A path in which no invisible sign can turn the writing direction and make `exe.txt` look like `txt.exe`."""
    return "".join("\ufffd" if unicodedata.category(character)[0] == "C" else character for character in path)


def size(size_bytes: int) -> str:
    """`12 kB`, `3.4 MB`."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1_000_000 else f"{max(1, round(size_bytes / 1_000))} kB"


def share(part: int, whole: int) -> str:
    """A percentage, or a dash where there is nothing to share."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


def _long(seconds: float) -> str:
    length, unit = _UNITS[0] if seconds >= 172_800 else _UNITS[1]
    return count(round(seconds / length), unit)
