"""The commands about the processes that run: start them, stop them, look at them, and the password of the staff."""

from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer()


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
