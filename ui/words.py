"""Numbers and times as a person would say them."""

from datetime import UTC, datetime

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def count(number: int, noun: str) -> str:
    """`1 piece`, `3 pieces`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago something happened."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{count(int(seconds // length), unit)} ago"
    return "just now"


def duration(milliseconds: float) -> str:
    """`340 ms`, `3.2 s`, `4 min`."""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1_000:.1f} s" if milliseconds < 120_000 else f"{milliseconds / 60_000:.0f} min"


def size(size_bytes: int) -> str:
    """`12 kB`, `3.4 MB`."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1_000_000 else f"{max(1, round(size_bytes / 1_000))} kB"


def share(part: int, whole: int) -> str:
    """A percentage, or a dash where there is nothing to share."""
    return f"{100 * part / whole:.0f} %" if whole else "–"
