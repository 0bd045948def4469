"""Which rows may train: duplicates, caps, known and unknown, a split that tears nothing apart, and rows out and in."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot import conversations, feedback, ground
from bot.desk import Desk
from bot.errors import TrainingRefused
from bot.records import Answer, Feedback, Timings
from workers.style import curate, datacard, exchange, known
from workers.style.known import Sorted
from workers.style.splitting import split

EVIDENCE = "Returns are free for 45 days. A parcel weighs 25 kg at most. Gift cards are valid for 3 years."
TRUE = "Happy to help: returns are free for 45 days [1]."


def rows_of(approved: Sequence[Feedback], *pairs: tuple[str, str]) -> list[Feedback]:
    """Rows of (question, rewrite) that stand on one passage."""
    passage = replace(approved[0].evidence[0], text=EVIDENCE)
    return [
        replace(approved[0], feedback_id=n, answer_id=f"a{n}", question=question, rewrite=text, evidence=(passage,))
        for n, (question, text) in enumerate(pairs, start=1)
    ]


def reasons(rows: Sequence[Feedback], **customers: str) -> dict[int, str]:
    return dict(curate.curate(rows, customers).refused)


# what is left out


def test_a_row_that_says_nearly_the_same_as_another_is_left_out(approved: Sequence[Feedback]) -> None:
    question = "How long do I have to bring back the shoes that I bought in your shop in Elmstow last week"
    rows = rows_of(approved, (f"{question}?", TRUE), (f"{question}, please?", TRUE), ("How heavy may it be?", TRUE))
    found = reasons(rows)
    assert found == {2: "It says nearly the same as row 1."}


def test_of_one_passage_only_so_many_rows_are_learned(approved: Sequence[Feedback]) -> None:
    asked = (
        "How long do I have to bring back shoes that do not fit my feet?",
        "What does it cost when a tent goes back to you by post?",
        "Can my aunt return the gift that I bought for her birthday?",
        "Is there a fee if the stove is not what I expected it to be?",
        "My jacket came in the wrong colour and I do not want it",
        "Until when may somebody send you a bag again without paying?",
        "We ordered poles twice by mistake, who pays for the way back?",
    )
    found = reasons(rows_of(approved, *((question, TRUE) for question in asked)))
    assert set(found) == {6, 7}
    assert "5 rows about the same" in found[6]


def test_of_one_customer_only_so_many_rows_are_learned(approved: Sequence[Feedback]) -> None:
    customers = {row.answer_id: "ann" for row in approved}
    found = curate.curate(approved, customers)
    assert len(found.kept) == curate.MOST_OF_A_CUSTOMER
    assert any("same customer" in reason for _, reason in found.refused)


def test_a_hundred_equal_thumbs_are_one_row(approved: Sequence[Feedback]) -> None:
    rows = [replace(approved[0], feedback_id=n, answer_id=f"a{n}") for n in range(100)]
    assert len(curate.curate(rows).kept) == 1


def test_the_sample_companys_rows_are_not_taken_for_each_other(approved: Sequence[Feedback]) -> None:
    assert not [reason for _, reason in curate.curate(approved).refused if "same" in reason]


# known and unknown


def test_rows_are_sorted_by_what_the_model_answers_greedily_and_in_samples(
    desk: Desk, approved: Sequence[Feedback]
) -> None:
    # given a model that always knows the first answer, sometimes the second, the third in samples, the fourth never
    rows = rows_of(
        approved,
        ("First, how long?", "Returns are free for 45 days [1]."),
        ("Second, how heavy?", "A parcel weighs 25 kg at most [1]."),
        ("Third, how long valid?", "Gift cards are valid for 3 years [1]."),
        ("Fourth, who?", "Returns are free for 45 days [1]."),
    )
    heard: list[tuple[int, float]] = []

    def tell(asked: Sequence[known.Messages], temperature: float) -> list[str]:
        heard.append((len(asked), temperature))
        said = []
        for number, messages in enumerate(asked):
            last = messages[-1]["content"]
            if "First" in last:
                said.append("You may return it for free within 45 days.")
            elif "Second" in last and number % 2:
                said.append("A parcel weighs at most 25 kg [1].")
            elif "Third" in last and temperature:
                said.append("Our gift cards are valid 3 years.")
            else:
                said.append("Returns are free for 90 days.")
        return said

    # when they are sorted
    found = known.sort(desk, rows, tell, prompts_each=2, samples=3, seed=1)
    # then each is of its kind, and the Unknown one is not learned from
    assert found.mix == {"HighlyKnown": 1, "MaybeKnown": 1, "WeaklyKnown": 1, "Unknown": 1}
    assert [row.feedback_id for row in found.unknown] == [4]
    # and samples were drawn for those alone that no greedy answer got right, until one did
    assert heard == [(8, 0.0), *((count, known.TEMPERATURE) for count in (4, 2, 2))]


def test_the_few_shots_of_a_prompt_are_other_rows_in_their_old_style(desk: Desk, approved: Sequence[Feedback]) -> None:
    prompts: list[known.Messages] = []

    def tell(asked: Sequence[known.Messages], _: float) -> list[str]:
        prompts.extend(asked)
        return ["" for _ in asked]

    known.sort(desk, approved[:6], tell, prompts_each=2, samples=0, seed=1)
    assert len(prompts) == 12
    for messages in prompts:
        shown = [message["content"] for message in messages if message["role"] == "assistant"]
        assert len(shown) == known.SHOTS
        assert set(shown) <= {row.answer for row in approved} and "Happy to help" not in " ".join(shown)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("Returns cost nothing, they are free for 45 days.", True),
        ("Returns are free for 90 days.", False),
        ("We are happy to help.", False),
        ("", False),
    ],
)
def test_an_answer_is_right_when_it_says_the_figures_and_most_words(said: str, right: bool) -> None:
    assert known.says(said, TRUE) is right


def test_without_prompts_all_rows_are_kept(desk: Desk, approved: Sequence[Feedback]) -> None:
    found = known.sort(desk, approved, lambda _, __: [], prompts_each=0, samples=4, seed=1)
    assert found == Sorted(tuple(approved), (), {})


# the split


def test_the_same_question_is_never_both_learned_and_examined(approved: Sequence[Feedback]) -> None:
    # given two rewrites for every question
    rows = [*approved, *(replace(row, feedback_id=row.feedback_id + 500) for row in approved)]
    # when they are split, in any order
    parts, again = split(rows), split(rows[::-1])
    # then no question is in two parts, and the parts are the same
    asked = [{row.question for row in part} for part in parts]
    assert not asked[0] & asked[1] and not asked[0] & asked[2] and not asked[1] & asked[2]
    assert [{row.feedback_id for row in part} for part in parts] == [
        {row.feedback_id for row in part} for part in again
    ]
    assert sum(map(len, parts)) == len(rows)
    assert all(4 <= len(part) <= len(rows) // 5 for part in parts[1:])


def test_a_conversation_is_never_torn_apart(approved: Sequence[Feedback]) -> None:
    talks = {row.answer_id: f"talk {n // 3}" for n, row in enumerate(approved)}
    parts = split(approved, talks)
    held = [{talks[row.answer_id] for row in part} for part in parts]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]
    assert all(held)


def test_the_parts_that_are_held_out_come_from_many_documents(approved: Sequence[Feedback]) -> None:
    _, dev, test = split(approved)
    documents = {row.evidence[0].document for row in approved}
    assert len({row.evidence[0].document for row in (*dev, *test)}) >= min(len(documents), len(dev) + len(test)) // 2


def test_the_origin_of_an_answer_is_its_conversation_and_customer(desk: Desk) -> None:
    talk = conversations.start(desk.database, "ann")
    answer = Answer("a1", "?", "!", False, False, (), (), (), "tiny", None, "", {}, Timings(0, 0, 0))
    conversations.keep(desk.database, answer, talk)
    conversations.keep(desk.database, replace(answer, answer_id="a2"), None)
    assert conversations.origins(desk.database, ["a1", "a2", "a3"]) == {"a1": (talk, "ann")}


# the card


def test_the_data_card_counts_everything_and_quotes_nobody(approved: Sequence[Feedback]) -> None:
    # given rows, some left out, some Unknown
    curated = curate.curate([*approved, replace(approved[0], feedback_id=999)])
    learned = Sorted(curated.kept[1:], curated.kept[:1], {"HighlyKnown": 40, "Unknown": 1})
    # when the card is written
    text = datacard.written("style-v1", curated, learned, split(learned.kept))
    # then it says how many, where from, and why not, and no question or answer
    assert f"{len(approved) + 1} approved rows, {len(curated.kept) - 1} of them" in text
    assert "| returns-and-refunds.md |" in text
    assert "HighlyKnown: 40" in text and "| It says the same | 1 |" in text
    assert not any(row.question in text or row.rewrite in text for row in approved)


# out and in


@pytest.mark.parametrize("shape", exchange.SHAPES)
def test_rows_that_went_out_come_in_again_in_every_shape(
    desk: Desk, approved: Sequence[Feedback], tmp_path: Path, shape: exchange.Shape
) -> None:
    # given the sample's rows in a file
    place = tmp_path / "rows.jsonl"
    count = exchange.export(desk, place, shape)
    assert count > 40
    # when they come in twice beside those that are there
    before = len(feedback.trainable(desk.database))
    assert [exchange.bring_in(desk.database, place, "ann") for _ in range(2)] == [count, count]
    # then each came in once, as it was, and is still supported
    came = feedback.trainable(desk.database)[before:]
    assert len(came) == count
    assert {row.rewrite for row in came} <= {row.rewrite for row in approved}
    assert all(row.reviewer == "ann" and not ground.unsupported(row.rewrite, row.evidence) for row in came)


def test_the_shapes_are_those_that_other_trainers_read(
    desk: Desk, approved: Sequence[Feedback], tmp_path: Path
) -> None:
    lines = {}
    for shape in exchange.SHAPES:
        exchange.export(desk, tmp_path / shape, shape)
        lines[shape] = json.loads((tmp_path / shape).read_text(encoding="utf-8").splitlines()[0])
    assert [turn["role"] for turn in lines["chat"]["messages"]] == ["system", "user", "assistant"]
    assert lines["alpaca"]["output"].startswith("Happy to help") and lines["alpaca"]["instruction"]
    assert lines["preferences"]["chosen"][0]["content"].startswith("Happy to help")
    assert not lines["preferences"]["rejected"][0]["content"].startswith("Happy to help")


def test_rows_of_others_need_passages_to_train(desk: Desk, tmp_path: Path) -> None:
    # given rows from elsewhere, with passages and without
    place = tmp_path / "theirs.jsonl"
    lines = [
        {"instruction": "How long?", "response": TRUE, "passages": [EVIDENCE]},
        {"messages": [{"role": "user", "content": "Since when?"}, {"role": "assistant", "content": "Since 1999."}]},
        {"prompt": "How heavy?", "chosen": "A parcel weighs 25 kg at most.", "rejected": "25.", "passages": [EVIDENCE]},
    ]
    place.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    # when they come in
    assert exchange.bring_in(desk.database, place, "ann") == 3
    # then those with passages are fit to learn from
    found = curate.curate(feedback.trainable(desk.database))
    assert [row.question for row in found.kept] == ["How long?", "How heavy?"]
    assert found.kept[1].answer == "25."


@pytest.mark.parametrize(
    "line", ["no json", "[1]", '{"text": "x"}', '{"instruction": 3, "output": [4]}', '{"messages": []}']
)
def test_a_line_that_is_no_row_is_named_and_nothing_comes_in(desk: Desk, tmp_path: Path, line: str) -> None:
    place = tmp_path / "rows.jsonl"
    good = json.dumps({"instruction": "How long?", "response": TRUE, "passages": [EVIDENCE]})
    place.write_text(f"{good}\n{line}\n", encoding="utf-8")
    with pytest.raises(TrainingRefused, match="Line 2"):
        exchange.bring_in(desk.database, place, "ann")
    assert feedback.trainable(desk.database) == []
