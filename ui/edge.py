"""The edge of every page: an error that we raised becomes its sentence, any other one an apology and a log line."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from bot.errors import FrontdeskError
from bot.log import get_log
from ui.escape import sentence

APOLOGY = "Something went wrong on our side. Please try again; if it happens again, tell us when it did."

log = get_log(__name__)


@contextmanager
def guarded() -> Iterator[None]:
    """Draw what is inside; where that fails, say so in words."""
    try:
        yield
    except FrontdeskError as error:
        st.error(sentence(str(error)), icon=":material/error:")
    except Exception:
        # the page's edge: nobody is to see a stack trace
        log.exception("a page failed")
        st.error(APOLOGY, icon=":material/error:")
