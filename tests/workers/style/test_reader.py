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
from workers.style.course import Course
from workers.style.reader import card, learning, material
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


def test_fictional_companies_answer_where_their_pages_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material, "COMPANIES", 2)
    monkeypatch.setattr(material, "HELD_OUT_COMPANIES", 1)

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
    made = {"base": "b", "rank": 4, "tokens": 3_000_000, "seconds": 2700, "device": "cpu", "learning_rate": 1e-3}
    made |= {"rows_per_batch": 16, "texts": {"squad": 1, "companies": 2, "squad2": 3}, "examined": examined}

    written = card.written(made)

    assert "CC BY-SA 4.0" in written and "| squad | 600 | 0.900 | 0.700 |" in written
