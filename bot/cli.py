"""The `frontdesk` program: the commands of this package, and those that the other packages hand in through the
entry points "frontdesk.commands". Every command imports what it needs, so that `--help` is quick."""

import sys
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from bot import printing
from bot.errors import FrontdeskError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(
    name="frontdesk",
    help="A self-hosted consultation bot: knowledge lives in retrieval, style lives in the adapter.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
feedback_app = typer.Typer(help="The review queue: list, approve, reject.", no_args_is_help=True)
adapters_app = typer.Typer(help="The versions of the style: list, show, promote, rollback.", no_args_is_help=True)
models_app = typer.Typer(help="The weights of the models: pull, list.", no_args_is_help=True)

InCollection = Annotated[str, typer.Option("--collection", help="Only from this folder of the inbox.")]


def main() -> None:
    """Run one command. 0 done, 1 failed with a sentence on standard error, 2 wrong usage, 130 interrupted."""
    for entry in entry_points(group="frontdesk.commands"):
        app.add_typer(entry.load())
    for group, name in ((feedback_app, "feedback"), (adapters_app, "adapters"), (models_app, "models")):
        app.add_typer(group, name=name)
    try:
        app()
    except FrontdeskError as error:
        sys.exit(printing.failure(str(error)))
    except Exception as error:  # noqa: BLE001 - the edge of the process: a sentence for people, the trace for the log
        sys.exit(printing.failure(f"Something went wrong ({_described(error)}); details are in {_keep_trace()}."))


@app.command()
def ask(question: str, collection: InCollection = "", as_json: AsJson = False) -> None:
    """Ask a question and print the answer with its citations."""
    from bot.consult import consult
    from bot.desk import open_desk
    from bot.records import Answer, Sentence

    for event in consult(open_desk(), question, collection=collection):
        if isinstance(event, Sentence) and not as_json:
            printing.sentence(event)
        if isinstance(event, Answer):
            printing.answer(event, as_json)


@app.command()
def search(
    query: str,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many.")] = 10,
    collection: InCollection = "",
    as_json: AsJson = False,
) -> None:
    """Print the best passages for a query."""
    from bot import retrieve
    from bot.desk import open_desk

    printing.passages(retrieve.search(open_desk(), query, k, collection=collection), as_json)


@app.command()
def replay(answer_id: str) -> None:
    """Print a stored answer with what it was made from, and ask its question again with the same adapter."""
    from bot import conversations
    from bot.consult import ask as ask_again
    from bot.desk import open_desk

    desk = open_desk()
    stored = conversations.answer(desk.database, answer_id)
    limit = str(stored.parameters.get("collection", ""))
    printing.pinned("Then", stored)
    printing.pinned("Now", ask_again(desk, stored.question, adapter=stored.adapter or "", collection=limit))


@app.command()
def migrate() -> None:
    """Bring the tables up to date. `frontdesk up` does it by itself."""
    from bot import db
    from bot.settings import load_settings

    db.migrate(db.connect(load_settings().database))


@feedback_app.command("list")
def feedback_list(as_json: AsJson = False) -> None:
    """Print the review queue, newest first."""
    from bot import feedback
    from bot.desk import open_desk

    printing.feedback(feedback.listing(open_desk().database), as_json)


@feedback_app.command("approve")
def feedback_approve(feedback_id: int) -> None:
    """Let an answer train, as it is or as it was rewritten."""
    from bot import feedback, staff
    from bot.desk import open_desk

    feedback.approve(open_desk().database, feedback_id, reviewer=staff.NAME)


@feedback_app.command("reject")
def feedback_reject(feedback_id: int, note: Annotated[str, typer.Option(help="Why.")] = "") -> None:
    """Keep an answer out of training."""
    from bot import feedback, staff
    from bot.desk import open_desk

    feedback.reject(open_desk().database, feedback_id, reviewer=staff.NAME, note=note)


@adapters_app.command("list")
def adapters_list(as_json: AsJson = False) -> None:
    """Print every version, newest first."""
    from bot import adapters
    from bot.desk import open_desk

    printing.adapters(adapters.listing(open_desk().database), as_json)


@adapters_app.command("show")
def adapters_show(version: str) -> None:
    """Print what is known of a version: where it comes from, how it was trained, what the gate measured."""
    from bot import adapters
    from bot.desk import open_desk

    printing.adapter(adapters.find(open_desk().database, version))


@adapters_app.command("promote")
def adapters_promote(version: str) -> None:
    """Let a version speak from the next question on; 'base' is the model without a style."""
    from bot import adapters, model
    from bot.desk import open_desk

    desk = open_desk()
    chosen = None if version == "base" else adapters.find(desk.database, version)
    if chosen:
        model.ensure_adapter(desk.settings, chosen)  # one that the server refuses must not speak
    adapters.activate(desk.database, chosen.name if chosen else None)
    printing.speaks(chosen)


@adapters_app.command("rollback")
def adapters_rollback() -> None:
    """Return to the version that spoke before."""
    from bot import adapters
    from bot.desk import open_desk

    printing.speaks(adapters.roll_back(open_desk().database))


@models_app.command("pull")
def models_pull() -> None:
    """Bring the weights of the configured models to this machine."""
    from bot.serving import weights
    from bot.settings import load_settings

    weights.pull(load_settings(), printing.tell)


@models_app.command("list")
def models_list(as_json: AsJson = False) -> None:
    """Print our models and the configured ones, here or not."""
    from bot.serving import weights
    from bot.settings import load_settings

    printing.models(weights.listing(load_settings()), as_json)


def _described(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__


def _keep_trace() -> Path:
    from bot.settings import HOME, load_settings

    try:
        data = load_settings().data_dir
    except FrontdeskError:
        data = HOME / "data"
    log = data / "logs" / "frontdesk.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        traceback.print_exc(file=file)
    return log


if __name__ == "__main__":
    main()
