"""The style loop as a whole: from enough approved rows to a version that speaks, what it gained and what it kept.

`make bench-style` runs it on the sample company with the small model: the real stack, the real training, the real gate.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from bot.settings import load_settings
from tests import full_stack
from tests.benchmarks.meters import shared_host

KL = "Closed-book divergence (KL)"
SHOWN = (
    "Right words said",
    "Token F1 of the words that answer",
    "Abstention F1",
    "Citation precision",
    "Supported sentences",
)


@shared_host()
def main() -> None:
    """Train once and print the figures."""
    models = load_settings().models.resolve()
    with (
        tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder,
        full_stack.running(Path(folder), models) as stack,
    ):
        begun = time.perf_counter()
        done = stack.frontdesk("train", "--json")
        minutes = (time.perf_counter() - begun) / 60
        if done.returncode:
            raise SystemExit(done.stderr)
        show(json.loads(done.stdout), minutes)


def show(made: dict[str, Any], minutes: float) -> None:
    """What came of the run: minutes, the style score, the facts beside the base's, and what did not pass."""
    checks = {check["name"]: check for check in made["report"]["checks"]}
    print(f"style loop: {made['adapter']} is {made['state']} {minutes:.1f} minutes after the run was asked for")
    style = checks["Style score"]
    gained, ends = style["after"] - style["before"], f"{style['low']:+.1f} to {style['high']:+.1f}"
    print(f"style score: {style['before']:.1f} -> {style['after']:.1f} of 100, {gained:+.1f} (95 %: {ends})")
    for name in SHOWN:
        before, after = checks[name]["before"], checks[name]["after"]
        print(f"{name.lower()}: {before:.3f} -> {after:.3f}, {after / before if before else 1:.3f} of the base's")
    known = checks["Closed-book answers that are right"]
    print(f"closed book: {known['before']:.2f} -> {known['after']:.2f} right ({known['why']}), ", end="")
    print(f"KL {checks[KL]['after']:.3f} nats a token")
    failed = [name for name, check in checks.items() if not check["passed"]]
    print(f"did not pass: {', '.join(failed) or 'nothing'}")


if __name__ == "__main__":
    main()
