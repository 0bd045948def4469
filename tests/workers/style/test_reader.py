"""How the reader is made: what it learns from, and that what was learned is what reads."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from bot.serving import weights
from bot.serving.reader import Reader
from bot.settings import load_settings
from workers.style import train
from workers.style.consultant import companies
from workers.style.course import Course, adapter_weights
from workers.style.reader import card, learning, material, spoiled
from workers.style.reader.material import Example
from workers.style.recipe import Recipe

TENTS = "Tents are rented by the week. A tent for two costs 40 euros. Dogs are welcome on every site."
BOATS = "Boats are rented by the hour. A boat for two costs 15 euros. Boats must be back before dark."


@pytest.fixture
def squad(tmp_path: Path) -> Path:
    def asked(question: str, text: str, said: str) -> dict[str, object]:
        return {"question": question, "answers": [{"text": said, "answer_start": text.index(said)}]}

    tents = {"context": TENTS, "qas": [asked("What does a tent for two cost?", TENTS, "40 euros")]}
    boats = {"context": BOATS, "qas": [asked("When must boats be back?", BOATS, "before dark")]}
    boats["qas"] += [{"question": "Who built the boats?", "answers": []}]  # type: ignore[operator]
    file = tmp_path / "train.json"
    file.write_text(json.dumps({"data": [{"title": "A_rental", "paragraphs": [tents, boats]}]}))
    return file


def test_every_answer_stands_in_its_text_and_in_no_text_without_it(squad: Path) -> None:
    made = [one for seed in range(30) for one in material.squad(squad, random.Random(seed))]

    assert {one.text[one.start : one.end] for one in made if one.end} == {"40 euros", "before dark"}
    without = [one for one in made if not one.end]
    assert without and not any("40 euros" in one.text for one in without if "tent" in one.question)
    assert {one.place for one in made} == {"A rental", ""}
    assert all(one.question != "Who built the boats?" for one in made)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        (
            "When did the shop in Elmstow open?",
            {"When did the shop in Port Callow open?", "When did the shop in Elmstow close?"},
        ),
        ("What happened in 1998?", {"What happened in 2011?"}),
        ("Who was the first owner?", {"Who was the last owner?"}),
        ("Whose shop is it?", set()),
    ],
)
def test_a_question_is_spoiled_by_what_the_text_does_not_say(question: str, wanted: set[str]) -> None:
    text = "The shop in Elmstow opened in 1998, and its first owner was Mora Wilde."
    others = ["In 2011 another one opened in Port Callow.", text]

    spoilt = {spoiled.question(question, text, others, random.Random(seed)) for seed in range(20)}

    assert spoilt - {None} == wanted


def test_fictional_companies_answer_where_their_pages_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companies, "TO_LEARN", 2)
    monkeypatch.setattr(companies, "HELD_OUT", 1)

    learnt, kept = material.ours(7, random.Random(7))

    assert learnt and kept and not {one.text for one in learnt} & {one.text for one in kept}
    assert all(one.text[one.start : one.end].strip() for one in learnt if one.end)
    assert any(not one.end for one in learnt)


def test_what_was_learned_is_what_reads(tmp_path: Path) -> None:
    # given a reader that has learned a little, so that no part of it is as it was
    folder = weights.locate(weights.EMBEDDING_MODEL, load_settings())
    examples = [Example("What does a tent cost?", "Rental", TENTS, 49, 57), Example("Who built it?", "", BOATS)] * 8
    recipe = Recipe(rank=4, alpha=8, epochs=1, learning_rate=1e-3, rows_per_batch=4, seed=1)
    torch.manual_seed(1)
    student = learning.student(folder, recipe)
    batches = learning.batches(folder, examples, 4, 1)
    Course(student, recipe, batches, batches[:1], lambda _: None, learning.loss).run(1e9)
    train.write(student, {}, tmp_path, torch.float16)
    # when the same is read by it and by what ships of it
    (batch,) = learning.batches(folder, examples[:1], 1, 1)
    with torch.no_grad():
        said = student.eval()(input_ids=batch.ids, attention_mask=batch.real, token_type_ids=batch.kinds)
    scored = Reader(folder, tmp_path).scores("What does a tent cost?", "Rental", TENTS)
    # then both say the same, as far as 8 bits go
    starts = (said.start_logits - said.start_logits[:, :1])[~batch.barred][1:]
    assert len(scored.starts) == len(starts) and int(batch.starts) > 0
    assert float(np.corrcoef(starts.numpy(), scored.starts)[0, 1]) > 0.95


def test_the_card_names_every_source() -> None:
    examined = {"squad": {"texts": 600, "separation": 0.9, "f1": 0.7}}
    once = {"texts": {"squad": 1, "companies": 2}, "tokens": 3_000_000, "seconds": 2700, "learning_rate": 1e-3}
    again = {**once, "texts": {"squad": 4, "squad2": 3}, "learning_rate": 8e-4}
    made = {
        "base": "b",
        "rank": 4,
        "device": "cpu",
        "rows_per_batch": 16,
        "rounds": [once, again],
        "examined": examined,
    }

    written = " ".join(card.written({**made, "rounds": [once, again]}).split())

    assert "| squad | 600 | 0.900 | 0.700 |" in written and "6000 thousand tokens in 90 minutes" in written
    assert all(f"| {count} | " in written for count in (5, 2, 3)) and "CC BY-SA 4.0" in written
    assert "Rounds: 2, at rates of 0.001 and 0.0008 with warm-up" in written


def test_a_further_round_ends_halfway(tmp_path: Path) -> None:
    # given two readers, one of which is to go on from the other
    folder = weights.locate(weights.EMBEDDING_MODEL, load_settings())
    recipe = Recipe(rank=4, alpha=8, epochs=1, learning_rate=1e-3, rows_per_batch=4, seed=1)
    train.write(learning.student(folder, recipe), {}, tmp_path, torch.float32)
    student = learning.student(folder, recipe)
    train.go_on_from(student, tmp_path)
    first = adapter_weights(student)
    with torch.no_grad():
        for parameter in student.parameters():
            if parameter.requires_grad:
                parameter.add_(2.0)
    # when it has moved and meets what it went on from
    learning.meet_halfway(student, first)
    # then every weight stands in the middle
    assert all(torch.allclose(value, first[name] + 1.0) for name, value in adapter_weights(student).items())
