"""A training run as the command line shows it: the plan before, the progress, and what came of it."""

import json
import time
from typing import Any

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from bot import adapters, jobs, staff, training
from bot.desk import Desk, open_desk
from bot.errors import TrainingRefused
from bot.records import Job
from bot.settings import load_settings

LOOK_SECONDS = 0.5
ENDED = ("done", "failed", "quarantined", "stopped")
VERDICTS = {"active": "speaks from the next question on", "canary": "is tried with a share of the conversations"}


def desk_for(method: str, *, only_plan: bool) -> Desk:
    """A desk for a run by this method ("": the one that is set). The trainer is another process and reads its own
    settings, so only a plan may be made for another one. Raises `TrainingRefused`."""
    settings = load_settings()
    if method and method != settings.train_method and not only_plan:
        raise TrainingRefused(
            f"The trainer learns by {settings.train_method}; set FRONTDESK_TRAIN_METHOD={method}, start Frontdesk anew "
            "and train again."
        )
    return open_desk(load_settings(train_method=method) if method else settings)


def request(desk: Desk) -> int:
    """Queue a run on the approved rows as they stand, and return its job's id."""
    return training.request(desk.settings, desk.database)


def stop(desk: Desk, console: Console) -> None:
    """Stop the run that waits or is on. Raises `NotAllowed` where there is none."""
    job = training.stop(desk.database, staff.NAME)
    kept = training.goes_on_from(desk.settings, desk.database)
    console.print(f"{job.error}{f' Training again goes on from step {kept}.' if kept else ''}", highlight=False)


def show_plan(desk: Desk, console: Console, as_json: bool) -> None:
    """What a run would do: rows kept and refused, steps, seconds."""
    from workers.style import loop  # after the settings were found to be right

    plan = loop.plan(desk)
    if as_json:
        print(json.dumps(plan))
        return
    console.print(
        f"{plan['kept']} rows would be learned from, {plan['held_out']} of them held out to examine; "
        f"{plan['steps']} steps, about {plan['estimated_seconds'] / 60:.1f} minutes."
    )
    show_memory(plan["method"], plan["memory"], console)
    for refusal in plan["refused"]:
        console.print(f"Row {refusal['feedback_id']} is left out: {refusal['reason']}")
    if not plan["enough"]:
        console.print(f"That is fewer than the {desk.settings.train_min_rows} rows that training needs.")


def show_memory(method: str, memory: dict[str, Any], console: Console) -> None:
    """What the training needs of memory, and what learning every weight would need."""
    table = Table("memory", method, "full fine-tuning", box=None, header_style="bold")
    for part in ("weights", "gradients", "moments", "activations", "total"):
        table.add_row(part, *(f"{memory[way][part] / 1e9:.2f} GB" for way in ("adapter", "full")))
    console.print(table)
    if memory["free"] is not None:
        console.print(f"{memory['free'] / 1e9:.2f} GB are free{'' if memory['fits'] else ': that is too little'}.")


def follow(desk: Desk, job_id: int, console: Console, as_json: bool) -> None:
    """Show the progress of a run until it ends. Raises `TrainingRefused` with the reason where it failed."""
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("waiting", total=None)
        job = _look(desk, job_id)
        while job.state not in ENDED:
            _advance(progress, bar, job.progress)
            time.sleep(LOOK_SECONDS)
            job = _look(desk, job_id)
    if job.state != "done":
        raise TrainingRefused(f"No adapter was made: {job.error}")
    newest = adapters.listing(desk.database)[0]
    if as_json:
        print(json.dumps({"adapter": newest.name, "state": newest.state, "report": newest.report}))
        return
    console.print(f"{newest.name} {VERDICTS.get(newest.state, 'was refused by the gate')}.")
    for check in newest.report.get("checks", []):
        console.print(f"  {check['name']}: {check['before']:.3f} -> {check['after']:.3f} ({_word(check['passed'])})")


def _look(desk: Desk, job_id: int) -> Job:
    job = jobs.find(desk.database, job_id)
    assert job is not None  # it was queued a moment ago, and jobs are never deleted
    return job


def _advance(progress: Progress, bar: TaskID, stage: dict[str, Any]) -> None:
    steps = stage.get("steps")
    progress.update(bar, description=stage.get("stage", "waiting"), total=steps, completed=stage.get("step", 0))


def _word(passed: bool) -> str:
    return "passed" if passed else "not passed"
