"""The reviewer's page of blind comparisons: two answers to a customer's question, a vote, and what the votes say."""

import random
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from bot import arena
from bot.arena import Choice, Contest, Rating
from ui import session, words
from ui.edge import guarded
from ui.escape import answer_body, body, label

TITLE = "Arena"
BASE_MODEL = "Base model"
# What a button is called, and its key on the keyboard.
CHOICES: dict[Choice, tuple[str, str]] = {
    "left": ("Left is better", "1"),
    "equal": ("Equally good", "2"),
    "right": ("Right is better", "3"),
    "both bad": ("Both are bad", "4"),
}


def draw_page() -> None:
    """A comparison, or the way to one; then the ratings."""
    st.title(TITLE, anchor=False)
    greeting = "Two answers to a customer's question. Say which you prefer; only then you see who gave them."
    st.html(body(greeting, "fd-greeting"))
    database, reviewer = session.desk().database, session.reviewer()
    names = arena.contestants(database)
    if len(names) < 2:
        st.info(
            "There is only the base model, so there is nothing to compare. The first trained version appears here.",
            icon=":material/compare_arrows:",
        )
        return
    contest = arena.waiting(database, reviewer)
    if contest:
        draw_contest(contest)
    else:
        draw_verdict(st.session_state.get("arena-last"))
        draw_start(names, arena.suggested(database), bool(arena.questions(database, 1)))
    draw_ratings(arena.ratings(database), arena.count(database))


def draw_start(names: Sequence[str], suggested: tuple[str, str] | None, asked: bool) -> None:
    """Which two to compare, and the button that asks them both."""
    if not asked:
        st.info(
            "No customer has asked anything yet. Questions from the chat are compared here.", icon=":material/chat:"
        )
        return
    first, second = suggested or (names[0], names[1])
    with st.container(border=True, key="arena-start"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            one = st.selectbox("Compare", names, names.index(first), format_func=_named, key="arena-first")
            other = st.selectbox("with", names, names.index(second), format_func=_named, key="arena-second")
            begun = st.button("Compare", key="arena-begin", type="primary", shortcut="N", disabled=one == other)
        st.caption("The two suggested ones are those about which one more vote says most.")
        if begun:
            with guarded(), st.spinner("Asking both…"):
                arena.begin(session.desk(), (one, other), session.reviewer(), random.Random())
                st.session_state.pop("arena-last", None)
                st.rerun()


def draw_contest(contest: Contest) -> None:
    """The question and both answers, nameless, and the vote."""
    with st.container(border=True, key="arena-contest"):
        st.html(body(contest.question, "fd-title"))
        for column, side, text in zip(
            st.columns(2, gap="medium"), ("Left", "Right"), (contest.left_text, contest.right_text), strict=True
        ):
            with column:
                st.caption(side)
                st.html(answer_body(text))
        with st.container(horizontal=True, gap="small", key="arena-votes"):
            for choice, (name, key) in CHOICES.items():
                if st.button(name, key=f"arena-{choice.replace(' ', '-')}", shortcut=key):
                    _vote(contest, choice)
            if st.button("Skip", key="arena-skip", type="tertiary", shortcut="0"):
                with guarded():
                    session.require_member()
                    arena.skip(session.desk().database, contest.contest_id)
                    st.rerun()


def draw_verdict(contest_id: int | None) -> None:
    """Who gave the answers of the last vote."""
    if contest_id is None:
        return
    with guarded():
        last = arena.find(session.desk().database, contest_id)
        said = CHOICES[last.choice][0]  # type: ignore[index]  # it has been voted on
        st.success(
            label(f"{said}. Left was {_named(last.left)}, right was {_named(last.right)}."), icon=":material/check:"
        )


def draw_ratings(ratings: Sequence[Rating], votes: int) -> None:
    """Who is preferred, and how sure that is."""
    st.subheader("Who is preferred", anchor=False)
    if not ratings:
        st.caption("No vote yet.")
        return
    rows = [
        {
            "Version": label(_named(one.name)),
            "Preferred to an average one": f"{one.share:.0%}",
            "Between": f"{one.low:.0%} and {one.high:.0%}",
            "Votes": f"{one.votes:,}",
        }
        for one in ratings
    ]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True)
    st.caption(f"{words.count(votes, 'vote')} so far. The truth lies between the two figures with 95 % certainty.")


def _vote(contest: Contest, choice: Choice) -> None:
    with guarded():
        arena.vote(session.desk().database, contest.contest_id, choice, session.reviewer())
        st.session_state["arena-last"] = contest.contest_id
        st.rerun()


def _named(name: str) -> str:
    return name or BASE_MODEL
