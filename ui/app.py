"""The application: which pages there are and who sees them. Run with `streamlit run ui/app.py` from the project."""

import sys
from collections.abc import Callable
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `streamlit run` puts only ui/ on the path

from ui import adapters, arena, chat, documents, gaps, insights, labels, prompts, quality, review, session
from ui.edge import guarded

STYLE = Path(__file__).with_name("style.css")
# What the staff see beside the chat.
STAFF = {
    "Knowledge": (documents, gaps),
    "Voice": (review, prompts, labels, arena, adapters),
    "Figures": (insights, quality),
}


def main() -> None:
    """Draw the page that the browser asks for."""
    st.html(STYLE)
    with guarded():
        pages, name = _pages(), session.member()
        page = st.navigation(pages, position="sidebar" if name else "hidden")
        # An emoji, because the browser would fetch any other icon of Streamlit's from elsewhere.
        st.set_page_config(page_title=f"{page.title} · {session.desk().settings.company}", page_icon="💬")
        session.draw_cookies()
        if name:
            draw_way_out()
        elif page == pages[""][0]:
            draw_customer_foot(pages["Knowledge"][0])
        with guarded():
            page.run()


def _pages() -> dict[str, list[st.Page]]:
    """Every page, by what it is about. The staff's are registered for everybody: a bookmark leads to the log-in.

    They have no icons: the icon of a page becomes the browser's, and that would be fetched from elsewhere.
    """
    staff_pages = {name: [_staff_page(module.draw_page, module.TITLE) for module in of] for name, of in STAFF.items()}
    return {"": [st.Page(chat.draw_page, title="Chat", default=True)], **staff_pages}


def _staff_page(draw: Callable[[], None], title: str) -> st.Page:
    return st.Page(lambda: draw_for_staff(draw), title=title, url_path=title.lower())


def draw_for_staff(draw: Callable[[], None]) -> None:
    """A page of the staff, or the log-in."""
    if session.member() is None:
        draw_log_in()
        return
    with st.container(key="staff-page"):
        draw()


def draw_log_in() -> None:
    """The one password."""
    _, middle, _ = st.columns([1, 2, 1])
    with middle:
        st.header("Staff", anchor=False)
        with st.form("log-in", border=False):
            password = st.text_input("Password", type="password", key="password", max_chars=200)
            asked = st.form_submit_button("Log in", key="log-in-button", type="primary", width="stretch")
        if asked:
            with guarded():
                with st.spinner("Checking…"):
                    session.log_in(password or "")
                st.rerun()
        st.caption("The password was shown when Frontdesk was first started.")
        if st.button("Back to the chat", key="back-to-chat", type="tertiary", icon=":material/arrow_back:"):
            st.switch_page(st.Page(chat.draw_page, title="Chat", default=True))


def draw_customer_foot(staff_page: st.Page) -> None:
    """The discreet way to the staff pages."""
    with st.container(key="foot", horizontal=True, horizontal_alignment="center"):
        st.page_link(staff_page, label="Staff", width="content")


def draw_way_out() -> None:
    """Log out, below the navigation."""
    with st.sidebar:
        if st.button("Log out", key="log-out", icon=":material/logout:", type="tertiary"):
            session.log_out()
            st.rerun()


if __name__ == "__main__":
    main()
