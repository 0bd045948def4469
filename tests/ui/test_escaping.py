"""Data is data, and the defaults are safe."""

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ui import session, words
from ui.escape import answer_body, body, highlighted, label, sentence

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "text",
    ["![x](https://evil.example)", "[a](b)", "<img src=x>", ":red[x]", "$x$", "# x", "`x`", "**x**", "a@b.example"],
)
def test_no_sign_of_markdown_survives_in_a_label(text: str) -> None:
    assert not re.search(r"(?<!\\)[\[\]`*_<>#$:!]", label(text))
    assert "a@b" not in label(text)


def test_a_label_reads_as_it_was_written() -> None:
    assert label("Prices [2026]:\nall *new*").replace("\\", "").replace("\u2060", "") == "Prices [2026]: all *new*"


def test_a_command_in_a_message_looks_like_one_and_data_beside_it_is_disarmed() -> None:
    assert sentence("'![x](u)' failed; run `frontdesk up`.") == r"'\!\[x\]\(u\)' failed; run `frontdesk up`\."
    assert sentence("a ` alone *b*") == label("a ` alone *b*")


def test_bodies_are_escaped_and_markers_stay_visible() -> None:
    assert body('<b onclick="x">') == '<div class="fd-text">&lt;b onclick=&quot;x&quot;&gt;</div>'
    assert '<span class="fd-marker">[1]</span>' in answer_body("45 days [1].")


def test_the_words_that_answer_are_bold_in_their_own_sentence_and_escaped() -> None:
    drawn = answer_body("France is large [1]. Lille & Lens are in France [2].", ["", "France"])
    assert drawn.count("<strong>") == 1 and "in <strong>France</strong> <span" in drawn
    assert "<strong>&lt;i&gt;x</strong> &amp; y" in answer_body("Say <i>x & y.", ["<i>x"])
    assert "A &amp; <strong>amp</strong>." in answer_body("A & amp.", ["amp"])


def test_emphasis_that_does_not_fit_the_sentences_is_left_out() -> None:
    assert answer_body("You have 45 days [1].", ["45 days", "x"]) == answer_body("You have 45 days [1].")
    assert answer_body("You have 45 days [1].", ["90 days"]) == answer_body("You have 45 days [1].")


def test_quotes_are_marked_even_where_they_overlap_or_hold_markup() -> None:
    drawn = highlighted("a <b> c d", ["<b> c", "c d", "nowhere"])
    assert drawn == '<div class="fd-text fd-passage">a <mark>&lt;b&gt; c</mark><mark> d</mark></div>'


def test_a_cookie_that_we_did_not_make_is_ignored(cookies: dict[str, str]) -> None:
    cookies[session.CUSTOMER_COOKIE] = "x; Path=/<script>"
    assert session._cookie(session.CUSTOMER_COOKIE) is None
    cookies[session.CUSTOMER_COOKIE] = "c" * 43
    assert session._cookie(session.CUSTOMER_COOKIE) == "c" * 43


def test_the_pages_start_with_safe_defaults() -> None:
    config = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text())
    assert config["client"] == {"showErrorDetails": "none", "toolbarMode": "minimal"}
    server = config["server"]
    assert server["enableCORS"] and server["enableXsrfProtection"] and not server["enableStaticServing"]
    assert server["maxUploadSize"] == 50 and not config["browser"]["gatherUsageStats"]


def test_no_page_lets_markup_through() -> None:
    for page in (PROJECT / "ui").glob("*.py"):
        assert "unsafe_allow_html" not in page.read_text(), page


def test_numbers_read_as_a_person_would_say_them() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert [words.ago(now - timedelta(seconds=s), now) for s in (5, 60, 7_200)] == [
        "just now",
        "1 minute ago",
        "2 hours ago",
    ]
    assert [words.duration(ms) for ms in (340, 3_200, 300_000)] == ["340 ms", "3.2 s", "5 min"]
    assert [words.size(size) for size in (10, 12_000, 3_400_000)] == ["1 kB", "12 kB", "3.4 MB"]
    assert words.share(0, 0) == "–"
