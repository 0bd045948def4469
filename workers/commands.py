"""The commands about the processes that run: start them, stop them, look at them, and the password of the staff."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

METHODS = ("lora", "rslora", "dora", "prompt", "p-tuning")

app = typer.Typer()
rows_app = typer.Typer(help="The rows that a style is learned from: export, import.", no_args_is_help=True)
app.add_typer(rows_app, name="rows")


@app.command()
def up(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The port of the pages, instead of 8501.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the pages in a browser.")] = True,
) -> None:
    """Start everything, print where it is, and stay until Ctrl-C."""
    from workers import launch

    launch.up(Console(), port, browser=browser)


@app.command()
def down() -> None:
    """Stop everything that `frontdesk up` started."""
    from workers import launch

    launch.down(Console())


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show every process, the jobs and the documents."""
    from bot.settings import load_settings
    from workers import status as overview

    overview.show(load_settings(), as_json)


@app.command()
def password() -> None:
    """Set a new staff password and print it."""
    from bot import db, staff
    from bot.settings import load_settings

    engine = db.connect(load_settings().database)
    db.migrate(engine)
    print(staff.reset_password(engine))


@app.command()
def train(
    method: Annotated[str, typer.Option(help="How the style is learned: lora, rslora, dora, prompt or p-tuning.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the run that is on.")] = False,
    wait: Annotated[bool, typer.Option(help="Stay until the adapter speaks or was refused.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a style adapter on the approved rows; it speaks by itself if the gate lets it."""
    from workers import training

    if method not in ("", *METHODS):
        known = ", ".join(METHODS)
        raise typer.BadParameter(
            f"'{method}' is not a method that is known here; choose {known}", param_hint="--method"
        )
    desk, console = training.desk_for(method, only_plan=dry_run), Console()
    if dry_run:
        training.show_plan(desk, console, as_json)
        return
    if stop:
        training.stop(desk, console)
        return
    job_id = training.request(desk)
    if wait:
        training.follow(desk, job_id, console, as_json)
    else:
        console.print(f"Training is queued as job {job_id}; the Adapters page shows how far it is.")


@rows_app.command("export")
def rows_export(place: Path, shape: Annotated[str, typer.Option(help="chat, alpaca or preferences.")] = "chat") -> None:
    """Write the approved rows that are fit to learn from as JSONL, for other trainers."""
    from bot.desk import open_desk
    from workers.style import exchange

    chosen = next((one for one in exchange.SHAPES if one == shape), None)
    if chosen is None:
        known = ", ".join(exchange.SHAPES)
        raise typer.BadParameter(f"'{shape}' is not a shape that is known here; choose {known}", param_hint="--shape")
    print(f"{exchange.export(open_desk(), place, chosen)} rows were written to {place}.")


@rows_app.command("import")
def rows_import(place: Path) -> None:
    """Add rows that were reviewed elsewhere, of any of these shapes, to those that are learned from."""
    from bot import staff
    from bot.desk import open_desk
    from workers.style import exchange

    print(f"{exchange.bring_in(open_desk().database, place, staff.NAME)} rows came in from {place}.")
