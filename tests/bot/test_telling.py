"""What of the model's words is shown, and how. The model's voice is written by hand; what it read is given."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from langchain_core.messages import BaseMessage

from bot import conversations, db, printing, prompts
from bot.desk import Desk
from bot.evidence import Evidence, Judged, asked
from bot.pins import Pin
from bot.records import Adapter, Answer, Citation, Passage, Sentence
from bot.telling import Telling
from tests.quality.given_answers import desk_of

QUESTION = "In what country is Normandy, and who rules it?"
PLACE, CAPITAL = "Normandy is a region in France.", "Its seat is Rouen."
PASSAGE = Passage("c1", 1, "normandy.md", "Normandy", "", None, f"{PLACE} {CAPITAL}", 1.0)
ROW = "Zone: Zone B; Standard price: €7.90; Express time: 2 days"
OPEN = "Our documents do not say who rules Normandy."
STYLE = Adapter("style-v1", "active", "", None, "small", {}, {}, datetime.now(UTC), None)


@pytest.fixture
def desk(engine: sa.Engine) -> Desk:
    return desk_of(engine)


@pytest.fixture
def telling(desk: Desk) -> Telling:
    return Telling(
        desk,
        QUESTION,
        None,
        prompts.load("answer"),
        threshold=0.0,
        passages=(PASSAGE,),
        evidence=Evidence(
            score=0.9,
            features={},
            excerpts=(PASSAGE,),
            best=(PASSAGE, PLACE),
            sentences={("c1", PLACE): Judged(1.4), ("c1", CAPITAL): Judged(1.4)},
            question=asked.read(QUESTION, {}, 100),
        ),
    )


@pytest.fixture
def told(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """The answer that is made of what a model says."""

    def tell(*said: str) -> Answer:
        monkeypatch.setattr("bot.telling.words", lambda *_: iter(" ".join(said)))
        shown = list(telling.speak(QUESTION))
        assert shown == telling.shown
        return telling.finished()

    return tell


def test_the_words_that_answer_are_told_beside_a_plain_sentence(told: Callable[..., Answer]) -> None:
    answer = told("Normandy is a region in **France** [1].", CAPITAL)
    assert answer.text == "Normandy is a region in France [1]. Its seat is Rouen [2]."
    assert answer.keys == ("France", "")
    assert answer.said.startswith("Normandy is a region in **France** [1].")


@pytest.mark.parametrize(
    ("named", "keys"),
    [("Rouen", ("", "Rouen")), ("region", ("region", "")), ("Paris", ()), ("Rou", ()), ("Normandy", ())],
)
def test_words_that_are_named_afterwards_are_told_of_the_sentence_that_has_them(
    named: str, keys: tuple[str, ...], told: Callable[..., Answer]
) -> None:
    answer = told(f"{PLACE}", f"{CAPITAL}\n**{named}**")
    assert answer.text == "Normandy is a region in France [1]. Its seat is Rouen [2]."
    assert answer.keys == keys and answer.dropped == ()


def test_words_that_are_named_make_no_sentence_with_the_courtesy_of_one_that_was_dropped(
    told: Callable[..., Answer],
) -> None:
    answer = told("Happy to help: socks are free of charge [1].\n**Rouen**")
    assert answer.quoted and answer.text.startswith("Happy to help: Normandy says:")
    assert answer.dropped == ("Happy to help: socks are free of charge [1].",)


def test_marks_of_emphasis_are_never_shown_or_kept(told: Callable[..., Answer]) -> None:
    answer = told("**Socks** are free.", "**Normandy** is a region in **France**.", "**Its seat is Rouen.**")
    assert answer.text == "Normandy is a region in France [1]. Its seat is Rouen [2]."
    assert answer.keys == () and answer.dropped == ("Socks are free.",)


def test_emphasis_is_kept_with_the_answer_and_one_without_it_still_loads(
    told: Callable[..., Answer], engine: sa.Engine
) -> None:
    answer = told("Normandy is a region in **France.**", "The End.")
    conversations.keep(engine, answer, None)
    assert conversations.answer(engine, answer.answer_id) == answer
    assert answer.keys == ("France",)
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.answers).values(answer=sa.func.json_remove(db.answers.c.answer, "$.keys")))
    assert conversations.answer(engine, answer.answer_id).keys == ()


def test_nothing_is_emphasised_in_an_abstention(telling: Telling) -> None:
    silence = telling.finished()
    assert silence.abstained and silence.keys == ()


@pytest.fixture
def reads(telling: Telling) -> Callable[[str, str], None]:
    """Lets a reader find words in the first sentence, and in the second."""

    def find(first: str, second: str) -> None:
        found = {("c1", PLACE): Judged(1.4, first), ("c1", CAPITAL): Judged(1.39, second)}
        telling.evidence = replace(telling.evidence, sentences=found)

    return find


@pytest.mark.parametrize(("words", "keys"), [("a region", ("a region",)), (PLACE[:-1], ()), ("Normandy", ()), ("", ())])
def test_in_a_quotation_the_words_that_answer_are_those_that_a_reader_finds(
    words: str, keys: tuple[str, ...], told: Callable[..., Answer], reads: Callable[[str, str], None]
) -> None:
    reads(words, "")
    answer = told("**Socks** are free.\n**Normandy**")
    assert answer.quoted and answer.text == f"Normandy says: “{PLACE}” [1]"
    assert answer.keys == keys


@pytest.mark.parametrize(("named", "key"), [("", "France"), ("\n**Paris**", "France"), ("\n**region**", "region")])
def test_where_the_model_names_none_the_words_that_answer_are_those_that_a_reader_finds(
    named: str, key: str, told: Callable[..., Answer], reads: Callable[[str, str], None]
) -> None:
    reads("France", "")
    assert told(f"{PLACE}{named}").keys == (key,)


def test_nothing_is_emphasised_in_an_approved_answer(telling: Telling) -> None:
    citation = Citation(1, "normandy.md", "Normandy", None, "", PLACE, "c1", 1)
    text = "Normandy is a region in France [1]."
    pin = Pin(1, QUESTION, "", text, (citation,), (PASSAGE,), "Ada", datetime.now(UTC), None, "")
    assert list(telling.recite(pin)) == [Sentence(text, (citation,))]
    assert telling.finished().keys == ()


def test_beside_an_answer_the_open_part_of_the_question_is_named_once(told: Callable[..., Answer]) -> None:
    answer = told("Normandy is a region in **France** [1].", OPEN, OPEN, CAPITAL)
    assert answer.text == f"Normandy is a region in France [1]. {OPEN} Its seat is Rouen [2]."
    assert answer.keys == ("France", "", "") and len(answer.citations) == 2


@pytest.mark.parametrize("said", ["Our documents do not say who rules France.", OPEN.rstrip(".")])
def test_what_leaves_another_question_open_or_breaks_off_is_dropped(said: str, told: Callable[..., Answer]) -> None:
    answer = told(PLACE, said)
    assert answer.text == "Normandy is a region in France [1]." and answer.dropped == (said,)


def test_courtesy_is_shown_beside_an_answer_and_once(told: Callable[..., Answer]) -> None:
    answer = told("Hello!", PLACE, "Thanks for asking.", "Thanks for asking.")
    assert answer.text == "Hello! Normandy is a region in France [1]. Thanks for asking."
    assert len(answer.citations) == 1


def test_the_courtesy_that_opened_a_dropped_sentence_opens_the_next(told: Callable[..., Answer]) -> None:
    answer = told("Happy to help: socks are free.", PLACE, f"Happy to help: {CAPITAL}")
    assert answer.text == "Happy to help: Normandy is a region in France [1]. Happy to help: Its seat is Rouen [2]."


def test_courtesy_alone_is_no_answer_and_carries_nothing_unsupported_along(told: Callable[..., Answer]) -> None:
    answer = told("Happy to help!", "Socks are free.", "Let us know if you have questions.")
    assert answer.quoted and answer.text == f"Happy to help! Normandy says: “{PLACE}” [1]"


@pytest.mark.parametrize("said", ["Not so.", "You can be in Normandy."])  # the second is supported, and nothing new
def test_where_the_base_says_nothing_of_use_the_best_sentence_is_quoted(said: str, told: Callable[..., Answer]) -> None:
    answer = told(said)
    assert answer.quoted and answer.text == f"Normandy says: “{PLACE}” [1]" and answer.dropped == (said,)


@pytest.mark.parametrize(
    ("said", "shown", "quoted"),
    [
        (f"Happy to help: {PLACE}", "Happy to help: Normandy is a region in France [1].", False),
        ("Happy to help: socks are free.", f"Happy to help: Normandy says: “{PLACE}” [1]", True),
        ("Not so.", f"Normandy says: “{PLACE}” [1]", True),
        ("You can be in Normandy.", f"Normandy says: “{PLACE}” [1]", True),
    ],
)
def test_a_style_says_a_quotation_in_its_way(
    said: str, shown: str, quoted: bool, styled: Callable[[str, str], tuple[Answer, list[str]]]
) -> None:
    answer, (read,) = styled("Socks are free.", said)
    assert PLACE in read and CAPITAL not in read
    assert (answer.text, answer.quoted) == (shown, quoted)
    assert [one.quote for one in answer.citations] == [PLACE]


@pytest.fixture
def styled(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], tuple[Answer, list[str]]]:
    """The answer of what the base says first and last and what a style says, and what the style was shown."""

    def tell(plainly: str, in_style: str) -> tuple[Answer, list[str]]:
        shown: list[str] = []

        def words(_: Desk, speaker: Adapter | None, __: int, messages: Sequence[BaseMessage]) -> Iterator[str]:
            shown.extend(str(messages[-1].content) for _ in [speaker] if speaker)
            return iter([in_style if speaker else plainly])

        monkeypatch.setattr("bot.telling.words", words)
        telling.voice = STYLE
        assert list(telling.speak(QUESTION)) == telling.shown
        return telling.finished(), shown

    return tell


def test_a_style_reads_what_the_base_has_told_and_says_it_in_its_way(
    styled: Callable[[str, str], tuple[Answer, list[str]]],
) -> None:
    answer, (read,) = styled(f"{PLACE}\n**France**", "Happy to help: your Normandy is a region in **France**.")
    assert answer.text == "Happy to help: your Normandy is a region in France [1]."
    assert [one.quote for one in answer.citations] == [PLACE] and answer.keys == ("France",)
    assert PLACE in read and CAPITAL not in read
    assert "said_by" not in answer.parameters and answer.dropped == ()


@pytest.mark.parametrize("said", ["", OPEN])
def test_what_the_base_leaves_open_stays_open_in_a_style(
    said: str, styled: Callable[[str, str], tuple[Answer, list[str]]]
) -> None:
    answer, _ = styled(f"{PLACE} {OPEN}", f"Happy to help: {PLACE} {said}")
    assert answer.text == f"Happy to help: Normandy is a region in France [1]. {OPEN}"


@pytest.mark.parametrize(
    "in_style",
    [
        "Happy to help: socks are free.",  # not supported
        "Happy to help: Normandy is a region.",  # without the words that answer
        "Happy to help: France it is. **Normandy**",
    ],
)
def test_where_a_style_says_less_the_bases_words_are_shown_behind_its_greeting(
    in_style: str, styled: Callable[[str, str], tuple[Answer, list[str]]]
) -> None:
    answer, _ = styled(f"{PLACE} {CAPITAL}\n**Rouen**", in_style)
    assert answer.text == "Happy to help: Normandy is a region in France [1]. Its seat is Rouen [2]."
    assert (answer.quoted, answer.keys, len(answer.dropped)) == (False, ("", "Rouen"), 1)
    # and what is kept is who said these words to what, so that they can be said again
    assert (answer.adapter, answer.parameters["said_by"]) == (STYLE.name, "base")
    assert answer.said.startswith(PLACE) and CAPITAL in str(answer.messages[-1]["content"])


def test_a_style_has_nothing_to_say_where_nothing_was_told(
    styled: Callable[[str, str], tuple[Answer, list[str]]], telling: Telling
) -> None:
    telling.evidence = replace(telling.evidence, best=None)
    answer, read = styled("Socks are free.", f"Happy to help: {PLACE}")
    assert answer.abstained and read == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The standard price for Zone B is €7.90.", "The standard price for Zone B is €7.90 [1]."),
        ("The express time for Zone B is 2 days.", f"Normandy says: “{ROW}” [1]"),  # true, and not what was asked
    ],
)
def test_of_a_table_row_is_told_what_stands_under_the_header_that_is_asked_for(
    said: str, shown: str, telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = replace(PASSAGE, text=ROW)
    found = replace(telling.evidence, excerpts=(prices,), best=(prices, ROW), sentences={("c1", ROW): Judged(1.4)})
    # the embeddings of these tests know nothing but that equal texts are near
    telling = replace(telling, question="Standard price", passages=(prices,), evidence=found)
    monkeypatch.setattr("bot.telling.words", lambda *_: iter([said]))
    list(telling.speak("Standard price"))
    assert telling.finished().text == shown


def test_to_name_only_what_is_open_is_no_answer(told: Callable[..., Answer]) -> None:
    answer = told(OPEN)
    assert answer.quoted and answer.dropped == (OPEN,)


def test_the_command_prints_plain_sentences_and_the_words_that_answer_as_json(
    told: Callable[..., Answer], telling: Telling, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = told("Normandy is a region in **France** [1].")
    printing.sentence(telling.shown[0])
    assert capsys.readouterr().out == "Normandy is a region in France [1].\n"
    printing.answer(answer, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["answer"], printed["keys"]) == ("Normandy is a region in France [1].", ["France"])
