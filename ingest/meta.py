"""What a content owner says about documents in a small file beside them: `report.pdf.meta.yaml` speaks of `report.pdf`,
`.meta.yaml` of everything in its folder that has no word of its own on the matter.

    owner: Maria Lind
    valid-from: 2026-12-01
    valid-until: 2027-01-31     # the last day on which it answers
"""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import yaml

from bot.inbox import META
from bot.records import Meta

MOST_BYTES = 64_000
KNOWN = ("owner", "valid-from", "valid-until")


class _Unclear(Exception):
    """A meta file that cannot be understood, and why."""


def describe(file: Path) -> Meta:
    """What is said of a document by its own meta file and by that of its folder. Days are those of this machine."""
    said: dict[str, Any] = {}
    problems = []
    for place in (file.with_name(META), file.with_name(file.name + META)):
        try:
            said |= _read(place)
        except _Unclear as unclear:
            problems.append(f"'{place.name}' is not used: {unclear}.")
    owner, begins, ends = (said.get(name) for name in KNOWN)
    return Meta(
        owner=str(owner or ""),
        valid_from=_moment(begins) if begins else None,
        valid_until=_moment(ends, whole_day=True) if ends else None,
        problem=" ".join(problems),
    )


def described(meta_file: Path) -> list[Path]:
    """The files that a meta file speaks of."""
    if meta_file.name == META:
        return [place for place in meta_file.parent.iterdir() if place.is_file()] if meta_file.parent.is_dir() else []
    return [meta_file.with_name(meta_file.name.removesuffix(META))]


def _read(place: Path) -> dict[str, Any]:
    try:
        if place.is_symlink() or not place.is_file():
            return {}
        if place.stat().st_size > MOST_BYTES:
            raise _Unclear("it is too large")
        said = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise _Unclear("it is not valid YAML") from error
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise _Unclear("it should have lines such as 'owner: Maria Lind'")
    plain = {str(name).replace("_", "-"): value for name, value in said.items()}
    for name, value in plain.items():
        _check(name, value)
    return plain


def _check(name: str, value: object) -> None:
    if name not in KNOWN:
        raise _Unclear(f"'{name[:40]}' is not one of {', '.join(KNOWN)}")
    if name == "owner" and not isinstance(value, str):
        raise _Unclear("the owner should be a name")
    if name != "owner" and not isinstance(value, date):  # a datetime is a date, too
        raise _Unclear(f"{name} should be a day such as 2026-12-31")


def _moment(day: date, *, whole_day: bool = False) -> float:
    """Seconds since 1970 of a point in time, or of a day's beginning, or of its end."""
    if isinstance(day, datetime):
        return day.timestamp()
    return datetime.combine(day + timedelta(days=whole_day), time.min).astimezone().timestamp()
