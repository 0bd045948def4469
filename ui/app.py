"""The application: which pages there are and who sees them. Run with `streamlit run ui/app.py` from the project."""

import sys
from collections.abc import Callable
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `streamlit run` puts only ui/ on the path

from ui import adapters, chat, documents, insights, review, session
from ui.edge import guarded

STYLE = Path(__file__).with_name("style.css")


def main() -> None:
    """Draw the page that the browser asks for."""
    st.set_page_config(page_title="Frontdesk", page_icon=":material/forum:")
    st.html(STYLE)
    with guarded():
        name = session.member()
        pages = _pages()
        page = st.navigation(pages, position="sidebar" if name else "hidden")
        st.set_page_config(page_title=f"{page.title} · {session.desk().settings.company}")
        session.draw_cookies()
        if name:
            draw_staff_foot()
        with guarded():
            page.run()
        if page == pages[0] and not name:
            draw_customer_foot(pages[1])


def _pages() -> list[st.Page]:
    """Every page. The staff's are registered for everybody, so that a bookmark leads to the log-in."""
    return [
        st.Page(chat.draw_page, title="Chat", icon=":material/forum:", default=True),
        _staff_page(documents.draw_page, "Documents", ":material/folder_open:"),
        _staff_page(review.draw_page, "Review", ":material/rate_review:"),
        _staff_page(adapters.draw_page, "Adapters", ":material/record_voice_over:"),
        _staff_page(insights.draw_page, "Insights", ":material/insights:"),
    ]


def _staff_page(draw: Callable[[], None], title: str, icon: str) -> st.Page:
    return st.Page(lambda: draw_for_staff(draw), title=title, icon=icon, url_path=title.lower())


def draw_for_staff(draw: Callable[[], None]) -> None:
    """A page of the staff, or the log-in."""
    if session.member() is None:
        draw_log_in()
    else:
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
        st.caption("The password was shown when Frontdesk was first started. `frontdesk password` sets a new one.")
        if st.button("Back to the chat", key="back-to-chat", type="tertiary", icon=":material/arrow_back:"):
            st.switch_page(st.Page(chat.draw_page, title="Chat", default=True))


def draw_customer_foot(staff_page: st.Page) -> None:
    """The discreet way to the staff pages."""
    with st.container(key="foot", horizontal=True, horizontal_alignment="right"):
        st.page_link(staff_page, label="Staff", width="content")


def draw_staff_foot() -> None:
    """Log out, below the navigation."""
    with st.sidebar:
        st.space("medium")
        if st.button("Log out", key="log-out", icon=":material/logout:", type="tertiary"):
            session.log_out()
            st.rerun()


if __name__ == "__main__":
    main()
