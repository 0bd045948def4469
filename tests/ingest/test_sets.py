"""Question sets: what an evaluation runs on, and how a kept run names it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingest import evaluating, sets


def files(place: Path, text: str = "Returns take 45 days.") -> tuple[Path, Path]:
    place.mkdir()
    docs, qa = place / "docs.jsonl", place / "qa.jsonl"
    docs.write_text(json.dumps({"doc_id": "returns", "title": "Returns", "text": text}))
    rows = [
        {"id": n, "question": f"How long, {n}?", "answers": ["45 days"], "doc_ids": ["returns"], "answerable": True}
        for n in range(3)
    ]
    qa.write_text("\n".join(map(json.dumps, rows)))
    return docs, qa


def test_a_set_is_named_for_its_folder_and_known_by_its_content(tmp_path: Path) -> None:
    one, same, other = (files(tmp_path / name, text) for name, text in (("a", "x"), ("b", "x"), ("c", "y")))
    pins = sets.load(*one).pins()
    assert (pins["set"], pins["questions"]) == ("a", 3)
    assert pins["data"] == sets.load(*same).pins()["data"] != sets.load(*other).pins()["data"]
    assert pins["data"] != sets.load(*one, limit=2).pins()["data"]


def test_without_files_the_sample_company_is_asked() -> None:
    sample = sets.load(None, None, limit=5)
    assert sample.name == sets.SAMPLE and len(sample.questions) == 5
    assert "returns-and-refunds.md" in {name for name, _, text in sample.texts if "45 days" in text}


@pytest.mark.parametrize("option", ["--docs", "--qa"])
def test_documents_without_questions_are_wrong_usage(tmp_path: Path, option: str) -> None:
    (file, _) = files(tmp_path / "set")
    result = CliRunner().invoke(evaluating.app, ["retrieval", option, str(file)])
    assert result.exit_code == 2 and "together" in result.output
