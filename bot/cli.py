"""The `frontdesk` program: the commands of this package, and those that the other packages hand in through the
entry points "frontdesk.commands". Every command imports what it needs, so that `--help` is quick."""

import json
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
adapters_app = typer.Typer(
    help="The versions of the style: list, show, promote, try, rollback, pin, history.", no_args_is_help=True
)
models_app = typer.Typer(help="The weights of the models: pull, list.", no_args_is_help=True)
prompts_app = typer.Typer(help="The prompts and their versions: list, show, use, back.", no_args_is_help=True)
manners_app = typer.Typer(help="How questions are meant: learn, measure.", no_args_is_help=True)

InCollection = Annotated[str, typer.Option("--collection", help="Only from this folder of the inbox.")]


def main() -> None:
    """Run one command. 0 done, 1 failed with a sentence on standard error, 2 wrong usage, 130 interrupted."""
    for entry in entry_points(group="frontdesk.commands"):
        app.add_typer(entry.load())
    groups = {"feedback": feedback_app, "adapters": adapters_app, "models": models_app, "prompts": prompts_app}
    groups["manners"] = manners_app
    for name, group in groups.items():
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
def replay(answer_id: str, as_json: AsJson = False) -> None:
    """Make a kept answer again from the same prompt, model and adapter, and say what has changed since."""
    from bot.desk import open_desk
    from bot.replay import replay as replay_answer

    printing.replay(replay_answer(open_desk(), answer_id), as_json)


@app.command()
def forget(conversation_id: str, as_json: AsJson = False) -> None:
    """Erase a customer's conversation (by its id or an answer's) and all that came of it; mark what learned from it."""
    from bot import forgetting, training
    from bot.desk import open_desk

    desk = open_desk()
    forgotten = forgetting.forget(desk.database, conversation_id)
    training.drop_outdated(desk.settings, desk.database)
    printing.forgotten(forgotten, as_json)


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
    from bot import adapters, model, staff
    from bot.desk import open_desk

    desk = open_desk()
    chosen = None if version == "base" else adapters.find(desk.database, version)
    if chosen:
        model.ensure_adapter(desk.settings, chosen)  # one that the server refuses must not speak
    adapters.activate(desk.database, chosen.name if chosen else None, staff.NAME)
    printing.speaks(chosen)


@adapters_app.command("rollback")
def adapters_rollback() -> None:
    """Return to the version that spoke before."""
    from bot import adapters, staff
    from bot.desk import open_desk

    printing.speaks(adapters.roll_back(open_desk().database, staff.NAME))


@adapters_app.command("try")
def adapters_try(version: str) -> None:
    """Let a share of the conversations hear a version first."""
    from bot import adapters, model, staff, voices
    from bot.desk import open_desk

    desk = open_desk()
    chosen = adapters.find(desk.database, version)
    model.ensure_adapter(desk.settings, chosen)
    adapters.start_canary(desk.database, chosen.name, staff.NAME)
    printing.tried(chosen, voices.share(desk.database))


@adapters_app.command("pin")
def adapters_pin(version: str, folder: str) -> None:
    """Let a version ('base': the model without a style) answer what is asked about a folder of the inbox."""
    from bot import staff, voices
    from bot.desk import open_desk

    voices.pin(open_desk().database, folder, "" if version == "base" else version, staff.NAME)


@adapters_app.command("unpin")
def adapters_unpin(folder: str) -> None:
    """Let whoever speaks elsewhere answer about a folder, too."""
    from bot import staff, voices
    from bot.desk import open_desk

    voices.unpin(open_desk().database, folder, staff.NAME)


@adapters_app.command("history")
def adapters_history(as_json: AsJson = False) -> None:
    """Print what was done with the versions and why, the last first."""
    from bot import adapters
    from bot.desk import open_desk

    printing.history(adapters.history(open_desk().database), as_json)


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


@prompts_app.command("list")
def prompts_list(as_json: AsJson = False) -> None:
    """Print every prompt with the version in use."""
    from bot import prompts
    from bot.desk import open_desk

    database = open_desk().database
    printing.prompts([prompts.load(name, database) for name in prompts.names()], as_json)


@prompts_app.command("show")
def prompts_show(name: str, as_json: AsJson = False) -> None:
    """Print the text of a prompt (of a version, as in answer@1a2b3c4d, or of the one in use) and its versions."""
    from bot import prompts
    from bot.desk import open_desk

    database = open_desk().database
    shown = prompts.by_version(database, name) if "@" in name else prompts.load(name, database)
    printing.prompt(shown, prompts.history(database, shown.name), as_json)


@prompts_app.command("use")
def prompts_use(version: str) -> None:
    """Use a version from the next question on."""
    from bot import prompts
    from bot.desk import open_desk

    printing.asks(prompts.choose(open_desk().database, version))


@prompts_app.command("back")
def prompts_back(name: str) -> None:
    """Return to the version that was used before."""
    from bot import prompts
    from bot.desk import open_desk

    printing.asks(prompts.go_back(open_desk().database, name))


@manners_app.command("learn")
def manners_learn(as_json: AsJson = False) -> None:
    """Learn how questions are meant from the rows that ship and from what reviewers said, and use that."""
    from bot import staff
    from bot.desk import open_desk
    from bot.manners.learn import relearn

    printing.lesson(relearn(open_desk(), staff.NAME), as_json)


@manners_app.command("measure")
def manners_measure(questions: Path, as_json: AsJson = False) -> None:
    """Print how many of the questions of a qa.jsonl would be refused, and how many offered a person."""
    from bot.desk import open_desk
    from bot.quality.manners import measure

    asked = [json.loads(line)["question"] for line in questions.read_text(encoding="utf-8").splitlines()]
    printing.noticed(measure(open_desk(), asked), as_json)


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
