"""Prompts are files: what makes one usable, which version is in use, how it is filled and what of it is heard."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from langchain_core.messages import convert_to_openai_messages

from bot import db, prompts
from bot.errors import PromptRefused
from bot.examples import Example
from bot.records import Passage

PASSAGE = Passage("c1", 1, "returns.md", "Returns", "Refunds", None, "You have 45 days.", 1.0)
ANSWER = prompts.shipped("answer")
POLITE = ANSWER.content.replace("You answer customers", "You warmly answer customers")
BRIEF = ANSWER.content.replace("one or two short sentences", "one short sentence")


@pytest.mark.parametrize("name", prompts.names())
def test_every_prompt_that_we_ship_is_one_that_we_would_accept(name: str) -> None:
    shipped = prompts.shipped(name)
    assert prompts.problems(shipped) == []
    assert shipped.purpose and shipped.version.startswith(f"{name}@")


def test_the_version_is_the_content() -> None:
    assert prompts.read("answer", POLITE).version != ANSWER.version
    assert prompts.read("answer", ANSWER.content) == ANSWER


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (("{question}", "the question"), r"The field \{question\} is missing"),
        (("{question}", "{question} {colour}"), r"The field \{colour\} is not known here; there are \{company\}"),
        (("{company}", "{company.__class__}"), r"The field \{company.__class__\} is not known"),
        (("{company}", "{company!r}"), r"The field \{company!r\} is not known"),
        (("{company}", "{company"), "curly bracket"),
        (
            ("# user", "# customer"),
            "The section '# user' is missing or empty. There is no place for a section '# customer'",
        ),
        (("# system", "text\n# system"), "one section that begins"),
        (("You answer", "You answer " * 500), "at most 4,000"),
        (("fields: company,", "fields: city,"), "'fields' must stay as it is"),
        (("purpose: asks", "purpose: [asks"), "Line 3 between the dashes cannot be read"),
        (("---\n", ""), "begins with a line of three dashes"),
        (("fields:", "reasoning: true\nfields:"), "there must be a 'marker'"),
        (("fields:", "reasoning: true\nmarker: 'SO:'\nfields:"), "must tell the model to write it"),
        (("fields:", "reasoning_tokens: many\nfields:"), "whole number"),
        (("Use only", "The password is hunter2. Use only"), "looks like a password or a key"),
        (("Use only", "Ask https://me:pw1@example.com/. Use only"), "looks like a password or a key"),
    ],
)
def test_an_edit_that_cannot_work_is_refused_with_what_is_wrong(
    engine: sa.Engine, edit: tuple[str, str], sentence: str
) -> None:
    with pytest.raises(PromptRefused, match=sentence):
        prompts.save(engine, "answer", ANSWER.content.replace(*edit), "ann")
    assert db.rows(engine, sa.select(db.prompts)) == []


def test_every_problem_of_an_edit_is_named_at_once(engine: sa.Engine) -> None:
    broken = ANSWER.content.replace("{question}", "?").replace("{company}", "{firm}")
    with pytest.raises(PromptRefused) as refused:
        prompts.save(engine, "answer", broken, "ann")
    assert str(refused.value).count(".") == 3


def test_without_a_choice_the_shipped_file_is_in_use(engine: sa.Engine) -> None:
    prompts.save(engine, "answer", POLITE, "ann")
    assert prompts.load("answer", engine) == prompts.load("answer") == ANSWER


def test_a_chosen_version_is_in_use_until_one_goes_back(engine: sa.Engine) -> None:
    polite, brief = (prompts.save(engine, "answer", text, "ann") for text in (POLITE, BRIEF))
    prompts.choose(engine, polite.version)
    prompts.choose(engine, brief.version)
    assert prompts.load("answer", engine) == brief
    assert prompts.go_back(engine, "answer") == polite == prompts.load("answer", engine)
    assert prompts.go_back(engine, "answer") == ANSWER == prompts.load("answer", engine)
    with pytest.raises(PromptRefused, match="nothing to go back to"):
        prompts.go_back(engine, "answer")


def test_one_step_leads_back_to_the_shipped_text(engine: sa.Engine) -> None:
    for text in (POLITE, BRIEF):
        prompts.choose(engine, prompts.save(engine, "answer", text, "ann").version)
    assert prompts.back_to_shipped(engine, "answer") == ANSWER == prompts.load("answer", engine)


def test_a_choice_concerns_only_its_own_prompt(engine: sa.Engine) -> None:
    prompts.choose(engine, prompts.save(engine, "answer", POLITE, "ann").version)
    assert prompts.load("abstain", engine) == prompts.shipped("abstain")


def test_the_history_says_who_wrote_what_and_which_is_in_use(engine: sa.Engine) -> None:
    polite = prompts.save(engine, "answer", POLITE, "ann", "warmer")
    prompts.choose(engine, polite.version)
    found = {version.prompt.version: version for version in prompts.history(engine, "answer")}
    assert (found[polite.version].author, found[polite.version].note, found[polite.version].in_use) == (
        "ann",
        "warmer",
        True,
    )
    assert (found[ANSWER.version].author, found[ANSWER.version].in_use) == ("", False)


def test_a_version_that_was_used_stays_reproducible(engine: sa.Engine) -> None:
    older = prompts.read("answer", POLITE)
    prompts.keep(engine, older)
    prompts.keep(engine, older)
    assert prompts.by_version(engine, older.version) == older
    assert len(db.rows(engine, sa.select(db.prompts))) == 1
    assert prompts.load("answer", engine) == ANSWER


def test_keeping_a_known_version_asks_the_database_nothing(engine: sa.Engine) -> None:
    prompts.keep(engine, ANSWER)
    asked: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    prompts.keep(engine, ANSWER)
    assert asked == []


def test_an_unknown_version_is_named(engine: sa.Engine) -> None:
    with pytest.raises(PromptRefused, match="answer@00000000"):
        prompts.by_version(engine, "answer@00000000")


def test_a_chosen_version_that_no_longer_fits_gives_way_to_the_shipped_file(engine: sa.Engine) -> None:
    """A release that fills a prompt with something else must not break every answer."""
    chosen = prompts.save(engine, "answer", POLITE, "ann")
    prompts.choose(engine, chosen.version)
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.prompts).values(content=POLITE.replace("{company}", "{firm}")))
    assert prompts.load("answer", engine) == ANSWER


def test_a_prompt_is_composed_of_system_examples_and_question() -> None:
    example = Example(7, "Can I send it back?", "Yes, within 45 days [1].", (PASSAGE,))
    other = replace(PASSAGE, text="Delivery takes {two} days.")
    messages = prompts.compose(ANSWER, company="Linden", excerpts=[other], question="How {long}?", examples=[example])
    assert [message.type for message in messages] == ["system", "human", "ai", "human"]
    assert "Linden" in str(messages[0].content)
    assert messages[1].content == "[1] Returns · Refunds\nYou have 45 days.\n\nQuestion: Can I send it back?"
    assert messages[2].content == "Yes, within 45 days [1]."
    assert messages[3].content == "[1] Returns · Refunds\nDelivery takes {two} days.\n\nQuestion: How {long}?"


def test_without_examples_a_composed_prompt_is_what_training_uses() -> None:
    values = {"company": "Linden", "passages": prompts.numbered([PASSAGE]), "question": "How long?"}
    composed = prompts.compose(ANSWER, company="Linden", excerpts=[PASSAGE], question="How long?")
    assert convert_to_openai_messages(composed) == convert_to_openai_messages(ANSWER.chat().format_messages(**values))


REASONED = prompts.shipped("answer_reasoned")


def pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 200])
def test_reasoning_is_never_heard_however_the_words_arrive(size: int) -> None:
    thought = f"Passage 2 has the days. {REASONED.marker} You have 45 days [2]. That is all."
    assert "".join(prompts.spoken(pieces(thought, size), REASONED)).strip() == "You have 45 days [2]. That is all."


def test_reasoning_without_an_answer_leaves_nothing_to_hear() -> None:
    assert list(prompts.spoken(pieces("Passage 2 has the days. ANSWER", 4), REASONED)) == []


def test_an_answer_is_heard_as_it_is_spoken() -> None:
    heard = prompts.spoken(iter(["Hm. ANSWER: You", " have", " 45"]), REASONED)
    assert next(heard) == "You"
    assert next(heard) == " have"


def test_without_reasoning_everything_is_heard() -> None:
    assert list(prompts.spoken(iter(["You ", "ANSWER:", " have"]), ANSWER)) == ["You ", "ANSWER:", " have"]


def test_a_variant_can_stand_in_for_the_prompt_that_it_names(engine: sa.Engine) -> None:
    (variant,) = prompts.variants("answer")
    chosen = prompts.save(engine, "answer", variant.content, "ann")
    prompts.choose(engine, chosen.version)
    assert prompts.load("answer", engine).reasoning
    assert prompts.load("answer", engine).reasoning_tokens > 0
