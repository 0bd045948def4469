"""What the staff can learn from the last answers: how many, how good, how fast, and what is missing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import pandas as pd
import streamlit as st

from bot import conversations, feedback, gaps, jobs, sentences, throughput
from bot.records import Answer, Feedback
from bot.throughput import Throughput
from ui import caution, session, words
from ui import gaps as gaps_page
from ui.escape import body, label

TITLE = "Insights"
LAST_ANSWERS = 1_000
JOB_STATES = {
    "queued": "waiting",
    "running": "running",
    "done": "done",
    "stopped": "stopped",
    "failed": "failed",
    "quarantined": "set aside",
}


@dataclass(frozen=True)
class Summary:
    """Some answers in figures: `dropped` sentences of the model were held back, `said` ones were shown. Times are
    milliseconds; None where there is nothing to measure."""

    answers: int
    abstained: int
    quoted: int
    dropped: int
    said: int
    first_token_ms: float | None
    total_ms: float | None
    rated: int
    liked: int


def summarise(given: Sequence[Answer], ratings: dict[str, int]) -> Summary:
    """Count what there is to count in some answers. `ratings` are thumbs (1 good, 0 bad) by answer."""
    told = [answer for answer in given if not answer.abstained]
    thumbs = [ratings[answer.answer_id] for answer in given if answer.answer_id in ratings]
    return Summary(
        answers=len(given),
        abstained=len(given) - len(told),
        quoted=sum(answer.quoted for answer in told),
        dropped=sum(len(answer.dropped) for answer in given),
        said=sum(len(sentences.split(answer.text)) for answer in told if not answer.quoted and answer.pin is None),
        first_token_ms=median(answer.timings_ms.first_token for answer in told) if told else None,
        total_ms=median(answer.timings_ms.total for answer in told) if told else None,
        rated=len(thumbs),
        liked=sum(thumbs),
    )


def by_voice(given: Sequence[Answer]) -> dict[str, list[Answer]]:
    """Answers by the adapter that spoke."""
    voices: dict[str, list[Answer]] = defaultdict(list)
    for answer in given:
        voices[answer.adapter or "base model"].append(answer)
    return dict(voices)


def draw_page() -> None:
    """The figures, the gaps, the work."""
    st.title(TITLE, anchor=False)
    database = session.desk().database
    given = conversations.recent(database, LAST_ANSWERS)
    ratings = _ratings(feedback.listing(database))
    if not given:
        st.info(
            "Nobody has asked anything yet. Figures appear here with the first question.", icon=":material/insights:"
        )
    else:
        st.html(body(f"The last {words.count(len(given), 'answer')}.", "fd-greeting"))
        draw_summary(summarise(given, ratings))
        draw_voices(by_voice(given), ratings)
        draw_gaps(gaps.count_open(database))
    caution.draw(session.desk())
    draw_serving(throughput.read(session.desk().settings))
    draw_jobs(jobs.count_by_state(database))


def draw_summary(summary: Summary) -> None:
    """Eight figures."""
    told = summary.answers - summary.abstained
    figures = {
        "Answered": (words.share(told, summary.answers), "Of all questions"),
        "Not in the documents": (words.share(summary.abstained, summary.answers), "Questions that got no answer"),
        "Thumbs up": (words.share(summary.liked, summary.rated), f"Of {words.count(summary.rated, 'rating')}"),
        "In own words": (words.share(told - summary.quoted, told), "Answers that the model phrased itself"),
        "Quoted": (words.share(summary.quoted, told), "Answers in the documents' words, because the model's failed"),
        "Sentences held back": (f"{summary.dropped:,}", "Said by the model, but not supported by the documents"),
        "First word after": (_time(summary.first_token_ms), "Median"),
        "Whole answer after": (_time(summary.total_ms), "Median"),
    }
    with st.container(key="figures"):
        columns = [*st.columns(4), *st.columns(4)]
    for column, (name, (value, meaning)) in zip(columns, figures.items(), strict=True):
        column.metric(name, value, help=meaning, border=True)


def draw_voices(voices: dict[str, list[Answer]], ratings: dict[str, int]) -> None:
    """The same by who spoke."""
    st.subheader("By voice", anchor=False)
    rows = []
    for name, given in voices.items():
        figures = summarise(given, ratings)
        told = figures.answers - figures.abstained
        rows.append(
            {
                "Voice": label(name),
                "Answers": f"{figures.answers:,}",
                "Answered": words.share(told, figures.answers),
                "In own words": words.share(told - figures.quoted, told),
                "Held back": words.share(figures.dropped, figures.dropped + figures.said),
                "Thumbs up": words.share(figures.liked, figures.rated),
                "Whole answer after": _time(figures.total_ms),
            }
        )
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True)


def draw_gaps(waiting: int) -> None:
    """How much customers asked that the documents do not say, and the way to the page about it."""
    st.subheader("What the documents do not answer", anchor=False)
    if not waiting:
        st.info("Every question so far had an answer in the documents.", icon=":material/check_circle:")
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.html(body(f"{words.count(waiting, 'question')} without an answer.", "fd-quiet"), width="content")
        if st.button("Look at the gaps", key="to-gaps", icon=":material/arrow_forward:"):
            st.switch_page(st.Page(gaps_page.draw_page, title=gaps_page.TITLE, url_path=gaps_page.TITLE.lower()))


def draw_serving(work: Throughput | None) -> None:
    """What the model server does, and has done since it started."""
    st.subheader("The model at work", anchor=False)
    if work is None:
        st.caption("The model server gives no figures.")
        return
    batch = "–" if work.mean_batch is None else f"{work.mean_batch:.1f}"
    known = "–" if work.known_share is None else words.share(round(100 * work.known_share), 100)
    figures = {
        "Being answered": (f"{work.answering:,}", "Questions that the model is writing on now"),
        "Waiting": (f"{work.waiting:,}", "Questions that wait for a place in the model's batch"),
        "Together": (batch, "How many answers the model wrote on at once, on average"),
        "First token after": (_time(work.first_token_ms), "Median, without the search"),
        "Then one every": (_time(work.between_tokens_ms), "Median from one piece of an answer to the next"),
        "Known beginnings": (known, "Share of the prompts that was not read again, since others began alike"),
    }
    with st.container(key="serving"):
        columns = [*st.columns(3), *st.columns(3)]
        for column, (name, (value, meaning)) in zip(columns, figures.items(), strict=True):
            column.metric(name, value, help=meaning, border=True)
    if work.tokens:
        written = [f"{name} {count:,}" for name, count in sorted(work.tokens.items())]
        st.html(body(f"Tokens written: {' · '.join(written)}", "fd-quiet"))


def draw_jobs(counts: dict[str, int]) -> None:
    """The work behind the scenes."""
    st.subheader("Work behind the scenes", anchor=False)
    if not counts:
        st.caption("No document has been read and nothing has been trained yet.")
        return
    parts = [f"{counts[state]:,} {word}" for state, word in JOB_STATES.items() if counts.get(state)]
    parts += [f"{number:,} {state}" for state, number in counts.items() if state not in JOB_STATES]
    st.html(body(" · ".join(parts), "fd-quiet"))


def _ratings(opinions: Sequence[Feedback]) -> dict[str, int]:
    return {opinion.answer_id: opinion.rating for opinion in opinions}


def _time(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else words.duration(milliseconds)
