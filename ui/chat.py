"""The customer's page: ask, watch the answer arrive, see where it stands, say what one thinks of it."""

from pathlib import PurePath

import streamlit as st

from bot import citations, conversations, documents, inbox
from bot.desk import Desk
from bot.errors import FrontdeskError, ModelUnavailable, SearchUnavailable
from bot.log import get_log
from bot.records import Answer, Document, Found, Sentence
from ui import answers, session, words
from ui.consultations import Consultation
from ui.edge import APOLOGY, guarded
from ui.escape import answer_body, body, label, sentence

EXAMPLES = 4
# What the sample company's customers like to know, by the document that answers it.
SAMPLE_QUESTIONS = {
    "returns-and-refunds.md": "How long do I have to send something back?",
    "delivery-and-shipping.html": "How long does delivery take?",
    "gift-cards.txt": "How long is a gift card valid?",
    "warranty-and-repairs.md": "What does the warranty cover?",
}

log = get_log(__name__)


def draw_page() -> None:
    """The conversation of the customer at this browser."""
    desk, customer = session.desk(), session.customer()
    running = _running(customer)
    conversation_id = running.conversation_id if running else _conversation(desk, customer)
    given = conversations.answers(desk.database, conversation_id, customer) if conversation_id else []
    failed: tuple[str, str] | None = st.session_state.get("failed")
    empty = not (given or running or failed)

    draw_heading(desk.settings.company, empty=empty, busy=running is not None)
    draw_scope(_folders(desk), busy=running is not None)
    question = st.chat_input(
        "Ask a question",
        key="question",
        max_chars=desk.settings.max_question_characters,
        submit_mode="disable",
        disabled=running is not None,
    )
    if question:
        _ask(desk, customer, conversation_id, given, question)
    welcome = st.empty()  # cleared as soon as there is a question, and not only when its answer is complete
    if empty:
        with welcome.container():
            example = draw_welcome(documents.listing(desk.database, states=["indexed"], most=50), desk.settings.contact)
        if example:
            _ask(desk, customer, conversation_id, given, example)

    answers.draw_all(desk, customer, conversation_id or "", given, citations.of_answers(desk.database, given))
    if running:
        draw_arriving(running, desk.settings.contact)
        st.rerun()
    elif failed and draw_failed(*failed):
        _ask(desk, customer, conversation_id, given, failed[0])


def draw_heading(company: str, *, empty: bool, busy: bool) -> None:
    """Whose desk this is; with the way to a new conversation once there is one."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(label(company), anchor=False, width="content")
        fresh = not empty and st.button(
            "New conversation", key="new-conversation", icon=":material/add:", disabled=busy, type="tertiary"
        )
    if fresh:
        st.session_state["conversation"] = None
        st.session_state.pop("failed", None)
        st.rerun()


def draw_scope(folders: list[str], *, busy: bool) -> None:
    """The part of the documents to ask about, above the question; nothing where they have no parts."""
    if folders:
        with st.bottom:
            st.selectbox(
                "Ask about",
                ["", *folders],
                format_func=lambda folder: f"Ask about: {words.name(folder) or 'everything'}",
                key="collection",
                label_visibility="collapsed",
                width=260,
                disabled=busy,
            )


def draw_welcome(indexed: list[Document], contact: str) -> str | None:
    """A greeting and a few questions to begin with; the one that was chosen."""
    st.html(body("Ask us anything. We answer from our own documents and show you where it says so.", "fd-greeting"))
    if not indexed:
        st.info(f"We are still getting ready and have nothing to answer from yet. Until then, ask {label(contact)}.")
        return None
    questions = [SAMPLE_QUESTIONS[name] for name in map(_file_name, indexed) if name in SAMPLE_QUESTIONS]
    questions += [f"What should I know about “{_short(document.title)}”?" for document in indexed]
    st.space("small")
    columns = st.columns(2)
    for number, question in enumerate(questions[:EXAMPLES]):
        if columns[number % 2].button(label(question), key=f"example-{number}", width="stretch"):
            return question
    return None


def draw_arriving(running: Consultation, contact: str) -> None:
    """A question whose answer is on its way, sentence by sentence."""
    answers.draw_question(running.question)
    with answers.message("assistant"):
        text, status = st.empty(), st.container(key="status").empty()
        told: list[Sentence] = []
        saying = "Looking in our documents…"
        status.caption(f":material/progress_activity: {saying}")
        try:
            for event in running.follow():
                if isinstance(event, Found):
                    saying = "Reading what we found…"
                elif isinstance(event, Sentence):
                    told.append(event)
                    saying = "Writing…"
                    text.html(answer_body(" ".join(one.text for one in told), [one.key for one in told]))
                status.caption(f":material/progress_activity: {saying}")
        except Exception as error:  # noqa: BLE001 - the customer gets a sentence and another try, the log the rest
            st.session_state["failed"] = (running.question, _excuse(error, contact))
        st.session_state.pop("following", None)


def draw_failed(question: str, excuse: str) -> bool:
    """A question that got no answer; whether to try again."""
    answers.draw_question(question)
    with answers.message("assistant"):
        st.warning(sentence(excuse), icon=":material/cloud_off:")
        return st.button("Try again", key="try-again", icon=":material/refresh:")


def _ask(desk: Desk, customer: str, conversation_id: str | None, given: list[Answer], question: str) -> None:
    with guarded():
        if conversation_id is None:
            conversation_id = conversations.start(desk.database, customer)
        conversations.require(desk.database, conversation_id, customer)
        st.session_state["conversation"] = conversation_id
        st.session_state.pop("failed", None)
        history = conversations.history(given)
        collection = st.session_state.get("collection") or ""
        started = session.consultations().start(desk, customer, conversation_id, question, history, collection)
        st.session_state["following"] = started
        st.rerun()


def _folders(desk: Desk) -> list[str]:
    """The folders that a customer can choose from; that of the sample company is not one of them."""
    folders = documents.collections(desk.database)
    return [folder for folder in folders if folder.split("/")[0] != inbox.SAMPLE_FOLDER]


def _running(customer: str) -> Consultation | None:
    """The customer's question that is being answered, or that failed before this tab could follow it."""
    mine: Consultation | None = st.session_state.get("following")
    running = session.consultations().running(customer)
    return running or (mine if mine and mine.error else None)


def _conversation(desk: Desk, customer: str) -> str | None:
    """The conversation that is open in this tab; at first the customer's latest."""
    if "conversation" not in st.session_state:
        st.session_state["conversation"] = conversations.latest(desk.database, customer)
    chosen: str | None = st.session_state["conversation"]
    return chosen


def _excuse(error: Exception, contact: str) -> str:
    """What a customer is told; what a member of staff needs to know goes to the log."""
    log.warning("a question got no answer", reason=str(error), exc_info=not isinstance(error, FrontdeskError))
    if type(error) in (ModelUnavailable, SearchUnavailable):
        return f"We cannot answer right now. Please try again in a moment, or ask {contact}."
    return str(error) if isinstance(error, FrontdeskError) else APOLOGY


def _file_name(document: Document) -> str:
    return PurePath(document.path).name


def _short(title: str) -> str:
    return title if len(title) <= 40 else f"{title[:39].rstrip()}…"
