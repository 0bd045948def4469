"""How versions of the style are released, on the operator's page: how one does with customers, where it comes from,
folders with a version of their own, the two settings, and what was done and why."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from bot import adapters, documents, preferences, training, voices
from bot.adapters import Release
from bot.records import Adapter
from bot.voices import PinnedVoice
from bot.watch import Comparison
from ui import session, words
from ui.edge import guarded
from ui.escape import body, label

BASE_MODEL = "the base model"
SHARES = (0.0, 0.05, 0.1, 0.2, 0.5)
DAYS = (3, 7, 14, 30, 90)
HISTORY_SHOWN = 12
MEASURES = {"thumbs down": "Rated down", "held back": "Sentence held back", "no answer": "Left without an answer"}
STEPS = {
    "trained": ("was trained", ":material/school:"),
    "rejected": ("did not pass", ":material/block:"),
    "canary": ("is tried with some conversations", ":material/science:"),
    "active": ("speaks", ":material/record_voice_over:"),
    "rolled back": ("was rolled back", ":material/undo:"),
    "retired": ("was retired", ":material/history:"),
    "stale": ("is to be trained again", ":material/delete_history:"),
    "pinned": ("was pinned", ":material/keep:"),
    "unpinned": ("was unpinned", ":material/keep_off:"),
}


def draw_live(figures: Sequence[Comparison], *, trial: bool) -> None:
    """How a version does with customers beside the one before; nothing while nobody has heard it."""
    if not any(one.now.of for one in figures):
        if trial:
            st.caption("No conversation has heard it yet.")
        return
    rows = [
        {
            "Conversations": MEASURES[one.measure],
            "With this version": f"{one.now.bad} of {one.now.of}",
            "With the one before": f"{one.before.bad} of {one.before.of}",
            "Verdict": _verdict(one),
        }
        for one in figures
    ]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True)
    st.caption("Where one rises beyond chance, the version is rolled back by itself.")


def draw_lineage(version: Adapter) -> None:
    """Where a version comes from."""
    with st.expander("Where it comes from", key=f"lineage-{version.name}"):
        for name, value in lineage(version).items():
            st.html(body(f"{name}: {value}", "fd-quiet"))


def lineage(version: Adapter) -> dict[str, str]:
    """What a version was made from and how, as far as it was recorded."""
    meta = version.meta
    rows, seeds = meta.get("rows", {}), meta.get("seeds", meta.get("seed"))
    told = {
        "Base model": version.base,
        "Spoke before it": version.parent or BASE_MODEL,
        "Rows": f"{rows['train']} learned from, {rows.get('held_out', 0)} held out" if "train" in rows else "",
        "Digest of the rows": str(meta.get("data_digest", "")),
        "Method": str(meta.get("method", "LoRA")) if meta else "",
        "Seeds": ", ".join(map(str, seeds)) if isinstance(seeds, list | tuple) else "" if seeds is None else str(seeds),
        "Folder": version.path,
    }
    return {name: value for name, value in told.items() if value}


def draw_settings() -> None:
    """How new versions are released, and how long few rows wait."""
    database = session.desk().database
    days = int(preferences.get(database, preferences.TRAIN_DAYS, training.TRAIN_DAYS))
    with st.popover("Settings", icon=":material/tune:", key="release-settings"):
        share = st.select_slider(
            "A new version is first tried with",
            sorted({*SHARES, voices.share(database)}),
            value=voices.share(database),
            format_func=lambda part: f"{part:.0%} of conversations" if part else "nobody: it speaks to all at once",
            key="canary-share",
            help="Where too few people ask to judge it by, a version that passed its checks speaks to all at once.",
        )
        waited = st.select_slider(
            "Few new rows are learned from after",
            sorted({*DAYS, days}),
            value=days,
            format_func=lambda number: words.count(number, "day"),
            key="train-days",
        )
        if st.button("Save", key="save-release-settings", type="primary"):
            with guarded():
                author = session.require_member()
                preferences.put(database, preferences.CANARY_SHARE, share, author)
                preferences.put(database, preferences.TRAIN_DAYS, waited, author)
                st.rerun()


def draw_folders(pinned: Sequence[PinnedVoice], versions: Sequence[Adapter]) -> None:
    """Folders whose questions one version answers, whoever speaks elsewhere; nothing where there are none to choose."""
    folders = documents.collections(session.desk().database)
    if not pinned and not (folders and versions):
        return
    st.subheader("Folders with a version of their own", anchor=False)
    for one in pinned:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.html(body(f"{words.name(one.collection)}: {one.adapter or BASE_MODEL}"), width="content")
            if st.button("Unpin", key=f"unpin-{one.collection}", type="tertiary"):
                with guarded():
                    voices.unpin(session.desk().database, one.collection, session.require_member())
                    st.rerun()
    allowed = [version.name for version in versions if version.state != "rejected" and not version.stale]
    if folders and allowed:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            folder = st.selectbox("Folder", folders, format_func=words.name, key="pin-folder")
            version = st.selectbox(
                "Version", [*allowed, adapters.BASE], format_func=lambda name: name or BASE_MODEL, key="pin-version"
            )
            if st.button("Pin", key="pin-voice", icon=":material/keep:"):
                with guarded():
                    voices.pin(session.desk().database, folder, version, session.require_member())
                    st.rerun()


def draw_history(steps: Sequence[Release]) -> None:
    """What was done with the versions, by whom and why, the last first."""
    if not steps:
        return
    st.subheader("History", anchor=False)
    shown = st.session_state.get("history-shown", HISTORY_SHOWN)
    with st.container(border=True, key="history", gap="xsmall"):
        for step in steps[:shown]:
            done, icon = STEPS[step.step]
            who = step.adapter or BASE_MODEL.capitalize()
            by = f"by {step.author}" if step.author else ""
            facts = [f"{who} {done}", by, words.ago(step.created_at)]
            st.caption(f"{icon} {label(' · '.join(fact for fact in facts if fact))}")
            if step.reason:
                st.html(body(step.reason, "fd-quiet"))
    if len(steps) > shown and st.button("Show more", key="more-history"):
        st.session_state["history-shown"] = shown + HISTORY_SHOWN
        st.rerun()


def _verdict(one: Comparison) -> str:
    if not (one.now.of and one.before.of):
        return "nothing to compare yet"
    return "worse" if one.alarm else "no rise beyond chance"
