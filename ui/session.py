"""Who sits at the browser, and the desk that all of them share.

A customer is a random token in a cookie, known to the records only by its digest. A member of staff has a second
cookie with the token of a session in the records, which is asked again at every action.
"""

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable

import streamlit as st

from bot import staff
from bot.desk import Desk, open_desk
from bot.errors import NotAllowed
from bot.log import set_up_logging
from ui.consultations import Consultations

CUSTOMER_COOKIE = "frontdesk_customer"
STAFF_COOKIE = "frontdesk_staff"
YEAR_SECONDS = 365 * 86_400
FREE_ATTEMPTS = 5
LONGEST_WAIT_SECONDS = 300
FORGET_SECONDS = 3_600

# Streamlit can read cookies but not set them; a component may. An empty value deletes the cookie.
_COOKIES_JS = """
export default function ({ data }) {
  const secure = location.protocol === "https:" ? "; Secure" : ""
  for (const [name, [value, seconds]] of Object.entries(data)) {
    const age = value ? (seconds ? `; Max-Age=${seconds}` : "") : "; Max-Age=0"
    document.cookie = `${name}=${value}; Path=/; SameSite=Strict${age}${secure}`
  }
}
"""
_write_cookies = st.components.v2.component("frontdesk_cookies", js=_COOKIES_JS)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class Attempts:
    """Wrong passwords by address. After `FREE_ATTEMPTS` each further try has to wait, twice as long every time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[int, float]] = {}

    def begin(self, address: str) -> None:
        """Count a try as wrong until `succeeded` says otherwise. Raises `NotAllowed` where it comes too soon."""
        with self._lock:
            now = self._clock()
            self._wrong = {who: seen for who, seen in self._wrong.items() if now - seen[1] < FORGET_SECONDS}
            wrong, last = self._wrong.get(address, (0, now))
            pause = min(2.0 ** (wrong - FREE_ATTEMPTS + 1), LONGEST_WAIT_SECONDS) if wrong >= FREE_ATTEMPTS else 0
            if now < last + pause:
                left = round(last + pause - now) or 1
                raise NotAllowed(f"That was too many wrong passwords; please wait {left} seconds and try again.")
            self._wrong[address] = (wrong + 1, now)

    def succeeded(self, address: str) -> None:
        """Forget the wrong ones."""
        with self._lock:
            self._wrong.pop(address, None)


@st.cache_resource(show_spinner=False)
def desk() -> Desk:
    """The parts that every page uses, built once in this process."""
    set_up_logging()
    opened = open_desk()
    threading.Thread(target=lambda: opened.reader, daemon=True).start()  # so that the first question is as fast as any
    return opened


@st.cache_resource(show_spinner=False)
def consultations() -> Consultations:
    """The answers that are being made in this process."""
    return Consultations()


@st.cache_resource(show_spinner=False)
def attempts() -> Attempts:
    """The wrong passwords that this process has seen."""
    return Attempts()


def customer() -> str:
    """The key under which the records know this browser."""
    token = st.session_state.get("customer_token") or _cookie(CUSTOMER_COOKIE) or secrets.token_urlsafe(32)
    st.session_state["customer_token"] = token
    return hashlib.sha256(token.encode()).hexdigest()


def member() -> str | None:
    """The name of the member of staff at this browser, or None."""
    return staff.member(desk().database, _staff_token())


def require_member() -> str:
    """The name of the member of staff, asked before every action. Raises `NotAllowed` where the session has ended."""
    name = member()
    if name is None:
        raise NotAllowed("Your session has ended; please reload the page and log in again.")
    return name


def reviewer() -> str:
    """Under which name the member of staff at this browser decides: what they said on the Review page, because all of
    them share one password. Raises `NotAllowed` where the session has ended."""
    name = require_member()
    return str(st.session_state.get("reviewer") or name)


def review_as(name: str) -> None:
    """Decide under this name from now on, or, where it is empty, under that of all."""
    require_member()
    st.session_state["reviewer"] = " ".join(name.split())


def log_in(password: str) -> None:
    """Start a staff session in this browser. Raises `NotAllowed` where the password is wrong or tried too often."""
    address = st.context.ip_address or "this machine"
    attempts().begin(address)
    token = staff.log_in(desk().database, password, desk().settings.staff_session_hours)
    attempts().succeeded(address)
    st.session_state["staff_token"] = token


def log_out() -> None:
    """End the staff session, here and in the records."""
    token = _staff_token()
    if token:
        staff.log_out(desk().database, token)
    st.session_state["staff_token"] = ""


def draw_cookies() -> None:
    """Let the browser keep what it does not know yet (the element shows nothing)."""
    customer()
    kept = {CUSTOMER_COOKIE: ("customer_token", YEAR_SECONDS), STAFF_COOKIE: ("staff_token", 0)}
    wanted = {
        name: [st.session_state[state], seconds]
        for name, (state, seconds) in kept.items()
        if state in st.session_state and st.session_state[state] != (_cookie(name) or "")
    }
    if wanted:
        _write_cookies(data=wanted, key="cookies")


def _staff_token() -> str | None:
    token: str | None = st.session_state.get("staff_token", _cookie(STAFF_COOKIE))
    return token


def _cookie(name: str) -> str | None:
    value = st.context.cookies.get(name)
    return value if value and _TOKEN.fullmatch(value) else None
