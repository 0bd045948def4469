"""The gate's report for people: Markdown beside the adapter's weights, of those that failed, too."""

import json
import re
from pathlib import Path
from typing import Any

AXES = {
    "style": ("Does it say it better?", "The style must rise."),
    "facts": ("Does it know no less?", "The facts must not fall."),
    "rest": ("Did anything else break?", "Length, repetition, spelling, phrases, language and time."),
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#|!~$&])")
MARKDOWN, JSON = "gate.md", "gate.json"


def keep(folder: Path, name: str, report: dict[str, Any]) -> None:
    """Write the report into an adapter's folder, where there is one."""
    if folder.is_dir():
        (folder / MARKDOWN).write_text(markdown(name, report), encoding="utf-8")
        (folder / JSON).write_text(json.dumps(report, indent=1), encoding="utf-8")


def markdown(name: str, report: dict[str, Any]) -> str:
    """A verdict as a person reads it."""
    found = report["checks"]
    failed = [check["name"] for check in found if not check["passed"]]
    verdict = "It may speak to customers." if report["passed"] else f"It may not speak: {_reason(report, failed)}."
    parts = [f"# {name}", verdict]
    if report.get("questions"):
        parts.append(
            f"{report['questions']} questions were asked of the version that spoke before and of this one. A "
            "difference is between the two on the same questions, with its 95 % bootstrap interval."
        )
    for axis, (title, meaning) in AXES.items():
        rows = [_row(check) for check in found if check.get("axis") == axis]
        if rows:
            head = ["| measure | before | after | difference | asked for | |", "|---|---|---|---|---|---|"]
            parts += [f"## {title}", meaning, "\n".join([*head, *rows])]
    if report["samples"]:
        parts.append("## How it sounds")
        parts += [
            f"**{_plain(one['question'])}**\n\n- before: {_plain(one['before'])}\n- after: {_plain(one['after'])}"
            for one in report["samples"]
        ]
    return "\n\n".join(parts) + "\n"


def _reason(report: dict[str, Any], failed: list[str]) -> str:
    return str(report.get("reason") or ", ".join(failed)).rstrip(".")


def _row(check: dict[str, Any]) -> str:
    apart = "" if check["low"] is None else f"{check['low']:+.3g} to {check['high']:+.3g}"
    verdict = "passed" if check["passed"] else "**not passed**"
    return f"| {check['name']} | {check['before']:.3g} | {check['after']:.3g} | {apart} | {check['why']} | {verdict} |"


def _plain(text: str) -> str:
    """Text of models and customers as text, not as Markdown."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
