"""How the commands of this package show rows: a table for people, JSON for scripts."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console()


def show(as_json: bool, value: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Print the value as JSON, or the rows as a table."""
    if as_json:
        print(json.dumps(value, ensure_ascii=False))
        return
    if not rows:
        console.print("Nothing yet.")
        return
    table = Table(*rows[0].keys(), box=None, header_style="bold")
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row.values()))
    console.print(table)


def tell(text: str) -> None:
    """Say on standard error how a long command gets on; on a terminal each line takes the place of the one before."""
    errors = Console(stderr=True)
    errors.print(text, end="\r" if errors.is_terminal else "\n", style="dim", markup=False)


def percent(share: float) -> str:
    """`12.5 %`."""
    return f"{100 * share:.1f} %"


def kept_as(number: int, as_json: bool) -> None:
    """Say where an evaluation is found again."""
    if not as_json:
        console.print(f"Kept as run {number}; `frontdesk eval report {number}` shows it.", style="dim")
