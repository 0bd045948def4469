"""The operator's page of prompts: what is said to the model and, word for word, to customers. An edit is seen filled,
compared, tried beside the text in use, kept with its author, and taken back with one click."""

import difflib
import re
from collections.abc import Sequence

import streamlit as st

from bot import consult, conversations, prompts, retrieve
from bot.desk import Desk
from bot.errors import PromptRefused
from bot.prompts import Prompt, Version
from bot.records import Answer, Passage
from ui import session, words
from ui.edge import guarded
from ui.escape import answer_body, body, label, sentence

TITLE = "Prompts"
ANSWERING = "answer"
ROLES = {"system": "To the model, as its role", "human": "To the model, as a question"}
SAMPLE_QUESTION = "How long do I have to return something?"
LONGEST_QUESTION = 500
_PIECE = re.compile(r"(?<=[.!?])[ \t]+")


def draw_page() -> None:
    """One prompt at a time."""
    st.title(TITLE, anchor=False)
    greeting = "What the bot is told, and what it says word for word. Every version is kept, and one click goes back."
    st.html(body(greeting, "fd-greeting"))
    desk = session.desk()
    standing_alone = [name for name in prompts.names() if not prompts.shipped(name).variant]
    name = st.selectbox(
        "Prompt", standing_alone, index=standing_alone.index(ANSWERING), format_func=_titled, key="prompt-name"
    )
    used, versions = prompts.load(name, desk.database), prompts.history(desk.database, name)
    st.html(body(f"{used.purpose[:1].upper()}{used.purpose[1:]}.", "fd-quiet"))
    draw_in_use(used, versions)
    draft = draw_editor(desk, used)
    if draft is not None and draft.content != used.content:
        draw_changes(used, draft)
    if draft is not None and used.name == ANSWERING:
        draw_trial(desk, used, draft)
    draw_saving(used, draft)
    draw_starts(prompts.variants(name), used)
    draw_history(versions, used)


def draw_in_use(used: Prompt, versions: Sequence[Version]) -> None:
    """Which version speaks, and the two ways back."""
    (version,) = [version for version in versions if version.in_use]
    shipped = used.version == prompts.shipped(used.name).version
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge("Shipped text" if shipped else "Edited", color="gray" if shipped else "blue")
        st.caption(label(f"In use: {_by(version)}"), width="content")
        if version.chosen_at is not None and st.button("Go back", key="prompt-back", icon=":material/undo:"):
            with guarded():
                session.require_member()
                _begin(prompts.go_back(session.desk().database, used.name))
        if not shipped and st.button("Back to the shipped text", key="prompt-shipped", type="tertiary"):
            with guarded():
                session.require_member()
                _begin(prompts.back_to_shipped(session.desk().database, used.name))


def draw_editor(desk: Desk, used: Prompt) -> Prompt | None:
    """The text on the left; on the right how it reads when it is filled. None where it cannot be used."""
    drafts = st.session_state.setdefault("prompt-drafts", {})
    key = f"draft-{used.name}"
    if key not in st.session_state:
        st.session_state[key] = drafts.get(used.name, used.content)
    left, right = st.columns(2, gap="medium")
    with left:
        content = st.text_area("The text, with what fills it in {curly brackets}", key=key, height=420) or ""
        drafts[used.name] = content
    with right:
        question = SAMPLE_QUESTION
        if "user" in used.sections:
            question = st.text_input(
                "Filled for the question", _last_question(desk), key="prompt-question", max_chars=LONGEST_QUESTION
            )
        try:
            draft = prompts.checked(used.name, content)
        except PromptRefused as refused:
            st.error(sentence(str(refused)), icon=":material/edit_off:")
            return None
        with st.container(height=380, key="prompt-preview"), guarded():
            draw_preview(desk, draft, _passages(desk, question or SAMPLE_QUESTION), question or SAMPLE_QUESTION)
    return draft


def draw_preview(desk: Desk, draft: Prompt, passages: Sequence[Passage], question: str) -> None:
    """The prompt with real passages in it: its messages, or its one text."""
    values = _values(desk, draft, passages, question)
    if "text" in draft.sections:
        st.html(answer_body(draft.text.format(**values)))
        return
    for message in draft.chat().format_messages(**values):
        st.html(body(ROLES[message.type], "fd-quiet") + body(str(message.content), "fd-text fd-passage"))
    if draft.reasoning:
        st.caption(label(f"What the model says before “{draft.marker}” is never shown to anybody."))


def draw_changes(before: Prompt, after: Prompt) -> None:
    """What an edit takes away and adds, sentence by sentence."""
    st.subheader("What changes", anchor=False)
    st.html(diff(before.content, after.content))


def diff(before: str, after: str) -> str:
    """Two texts as inert HTML, a line a sentence: what only the first has, what only the second has, and what stands
    next to these in both."""
    kinds = {"- ": ("− ", "fd-diff fd-removed"), "+ ": ("+ ", "fd-diff fd-added"), "  ": ("  ", "fd-diff")}
    lines = [line for line in difflib.ndiff(_pieces(before), _pieces(after)) if line[:2] in kinds]
    near = {n + step for n, line in enumerate(lines) if line[:2] != "  " for step in (-1, 0, 1)}
    drawn = []
    for n, line in enumerate(lines):
        sign, kind = kinds[line[:2]]
        if n in near:
            drawn.append(body(sign + line[2:], kind))
        elif n - 1 in near or n == 0:
            drawn.append(body("  …", "fd-diff"))
    return "".join(drawn)


def draw_saving(used: Prompt, draft: Prompt | None) -> None:
    """Keep the edit, and use it or not yet."""
    unchanged = draft is None or draft.content == used.content
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        note = st.text_input("Why (optional)", key=f"prompt-note-{used.name}", max_chars=200)
        use = st.button("Save and use", key="prompt-save-use", type="primary", disabled=unchanged)
        save = st.button("Save for later", key="prompt-save", disabled=unchanged)
        if st.button("Discard", key="prompt-discard", type="tertiary", disabled=draft == used):
            _begin(used)
    if draft is not None and (use or save):
        with guarded():
            author, database = session.require_member(), session.desk().database
            saved = prompts.save(database, used.name, draft.content, author, note or "")
            if use:
                _begin(prompts.choose(database, saved.version))
            st.toast("Saved. It is in the list of versions below.")
            st.rerun()


def draw_trial(desk: Desk, used: Prompt, draft: Prompt) -> None:
    """The same question answered with the text in use and with the edit."""
    question = st.session_state.get("prompt-question") or SAMPLE_QUESTION
    if st.button(
        "Try it", key="prompt-try", icon=":material/science:", help="Asks the question above with both texts."
    ):
        with guarded():
            session.require_member()
            with st.spinner("Asking with both texts…"):
                answers = [consult.try_prompt(desk, question, prompt) for prompt in (used, draft)]
            st.session_state["prompt-tried"] = (question, used.version, draft.version, answers)
    asked, first, second, answers = st.session_state.get("prompt-tried", ("", "", "", []))
    if not answers or (first, second) != (used.version, draft.version):
        return
    st.html(body(asked, "fd-title"))
    for column, heading, answer in zip(st.columns(2), ("In use", "Your edit"), answers, strict=True):
        with column:
            draw_tried(heading, answer)


def draw_tried(heading: str, answer: Answer) -> None:
    """One of the two answers."""
    st.html(body(heading, "fd-quiet"))
    st.html(body(answer.text, "fd-text fd-abstained") if answer.abstained else answer_body(answer.text))
    dropped = f"{words.count(len(answer.dropped), 'sentence')} dropped as unsupported" if answer.dropped else ""
    facts = ["quoting a document" if answer.quoted else "", dropped, words.duration(answer.timings_ms.total)]
    st.caption(label(" · ".join(fact for fact in facts if fact)))


def draw_starts(variants: Sequence[Prompt], used: Prompt) -> None:
    """Other texts of ours that an edit can start from."""
    for variant in variants:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if st.button("Start from this", key=f"prompt-start-{variant.name}"):
                _begin(used, variant.content)
            st.caption(label(f"{_titled(variant.name)}: {variant.purpose}."), width="content")


def draw_history(versions: Sequence[Version], used: Prompt) -> None:
    """Every version with who wrote it, when and why, what sets it apart, and the click that uses it."""
    st.subheader("Versions", anchor=False)
    for version in versions:
        prompt = version.prompt
        with st.container(border=True, key=f"version-{prompt.version.replace('@', '-')}"):
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                st.html(body(_by(version), "fd-title"), width="content")
                if version.in_use:
                    st.badge("In use", color="green")
                elif st.button("Use this version", key=f"use-{prompt.version}"):
                    with guarded():
                        session.require_member()
                        _begin(prompts.choose(session.desk().database, prompt.version))
            if version.note:
                st.html(body(version.note, "fd-quiet"))
            if not version.in_use:
                with st.expander("Beside the text in use", key=f"beside-{prompt.version}", type="compact"):
                    st.html(diff(used.content, prompt.content))


def _begin(used: Prompt, content: str = "") -> None:
    """Start the page anew with this text in the editor."""
    st.session_state["prompt-drafts"][used.name] = content or used.content
    st.session_state.pop(f"draft-{used.name}", None)
    st.rerun()


def _titled(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _by(version: Version) -> str:
    author = f"by {version.author}" if version.author else "as shipped"
    return f"{version.prompt.version} · {author} · {words.ago(version.created_at)}"


def _last_question(desk: Desk) -> str:
    return next((answer.question for answer in conversations.recent(desk.database, 1)), SAMPLE_QUESTION)


def _passages(desk: Desk, question: str) -> list[Passage]:
    """Found by words alone, so that a preview asks no model."""
    return retrieve.search(desk, question, desk.settings.passages, legs=("lexical",))


def _values(desk: Desk, draft: Prompt, passages: Sequence[Passage], question: str) -> dict[str, object]:
    """What fills a preview; what only a conversation knows stays a name in angle brackets."""
    titles = list(dict.fromkeys(passage.title for passage in passages))
    values: dict[str, object] = {field: f"‹{field}›" for field in draft.fields}
    values |= {"company": desk.settings.company, "contact": desk.settings.contact, "question": question}
    values |= {"passages": prompts.numbered(passages), "documents": " and ".join(f"“{title}”" for title in titles[:2])}
    if passages:
        values |= {"title": passages[0].title, "quote": passages[0].text, "n": 1}
    return values


def _pieces(text: str) -> list[str]:
    """Lines, and the sentences of long ones, because a paragraph is one line."""
    return [piece for line in text.splitlines() for piece in _PIECE.split(line)]
