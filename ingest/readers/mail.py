"""E-mail: EML files by the standard library, Outlook's MSG files by their streams (MS-OXMSG)."""

import contextlib
import email
import email.policy
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import olefile

from bot.errors import UnreadableDocument
from ingest.readers import html
from ingest.readers.encoding import decode
from ingest.readers.reading import Block, Parcel, Reading
from ingest.readers.text import read_text

MOST_ATTACHMENTS = 20
FIELDS = ("From", "To", "Cc", "Date")
# Properties of a message by their number, as text in UTF-16 (001F), in a code page (001E) or as bytes (0102).
SUBJECT, SENDER, ADDRESS, TO, CC, BODY, HTML = "0037", "0C1A", "0C1F", "0E04", "0E03", "1000", "1013"
FILE_DATA, FILE_NAME, SHORT_NAME = "3701", "3707", "3704"
SENT = b"\x40\x00\x39\x00"


def read_mail(content: bytes, name: str) -> Parcel:
    """An EML file: subject, who wrote to whom and when, the body, and its attachments as parts."""
    message: Any = email.message_from_bytes(content, policy=email.policy.default)
    if message.get_content_type() in ("multipart/encrypted", "application/pkcs7-mime"):
        raise UnreadableDocument(f"'{name}' is an encrypted e-mail; save it decrypted.")
    fields = {field: _field(message, field) for field in FIELDS}
    body = message.get_body(("plain", "html"))
    text = _content(body) if body is not None else ""
    is_html = body is not None and body.get_content_type() == "text/html"
    attached = [part for part in message.walk() if part is not body and _is_attached(part)]
    parts = tuple((str(part.get_filename() or "message"), _bytes(part)) for part in attached[:MOST_ATTACHMENTS])
    return Parcel(_reading(_field(message, "Subject"), fields, text, is_html), parts, "Attachment: ")


def read_msg(content: bytes, name: str) -> Parcel:
    """An MSG file, as Outlook saves it."""
    with olefile.OleFileIO(content) as streams:
        sender, address = _text(streams, "", SENDER), _text(streams, "", ADDRESS)
        fields = {
            "From": f"{sender} <{address}>" if "@" in address and sender != address else sender or address,
            "To": _text(streams, "", TO).rstrip("\0"),
            "Cc": _text(streams, "", CC).rstrip("\0"),
            "Date": _sent(streams),
        }
        body = _text(streams, "", BODY)
        page = "" if body.strip() else _bytes_of(streams, "", HTML).decode("utf-8", "replace")
        folders = sorted({entry[0] for entry in streams.listdir() if entry[0].startswith("__attach_version1.0_")})
        parts = tuple(
            (
                _text(streams, folder, FILE_NAME) or _text(streams, folder, SHORT_NAME) or "attachment",
                _bytes_of(streams, folder, FILE_DATA),
            )
            for folder in folders[:MOST_ATTACHMENTS]
        )
        return Parcel(_reading(_text(streams, "", SUBJECT), fields, page or body, bool(page)), parts, "Attachment: ")


def _reading(subject: str, fields: dict[str, str], body: str, is_html: bool) -> Reading:
    known = "\n".join(f"{field}: {text}" for field, text in fields.items() if text)
    found = html.reading(body) if is_html else read_text(body.replace("\r\n", "\n"), "")
    head = [Block("text", known)] if known else []
    return Reading(" ".join(subject.split()), (*head, *found.blocks), notes=found.notes)


def _field(message: Any, field: str) -> str:
    """A header field, also one that is malformed or, against the rules, not in ASCII."""
    try:
        known = str(message.get(field, ""))
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        known = "\ufffd"
    if "\ufffd" not in known:
        return known
    raw = next((value for key, value in message.raw_items() if key.lower() == field.lower()), "")
    return decode(str(raw).encode("utf-8", "surrogateescape")) or ""


def _content(part: Any) -> str:
    """The text of a part in its declared encoding, or in the one that it is really written in."""
    content = _bytes(part)
    declared = part.get_content_charset() or "ascii"
    # What is good UTF-8 beyond ASCII is nothing else, whatever it says.
    for encoding in (declared,) if content.isascii() else ("utf-8", declared):
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            return content.decode(encoding)
    return decode(content) or content.decode("utf-8", "replace")


def _is_attached(part: Any) -> bool:
    """Whether there is something to read apart from the body; a signature is not."""
    return _is_mail(part) or bool(part.get_filename() and not part.get_content_type().endswith("-signature"))


def _is_mail(part: Any) -> bool:
    return bool(part.get_content_type() == "message/rfc822")


def _bytes(part: Any) -> bytes:
    if _is_mail(part):
        return bytes(part.get_payload(0))
    return part.get_payload(decode=True) or b""


def _text(streams: olefile.OleFileIO, folder: str, number: str) -> str:
    wide = _stream(streams, folder, f"{number}001F")
    if wide is not None:
        return wide.decode("utf-16-le", "replace")
    return (_stream(streams, folder, f"{number}001E") or b"").decode("cp1252", "replace")


def _bytes_of(streams: olefile.OleFileIO, folder: str, number: str) -> bytes:
    return _stream(streams, folder, f"{number}0102") or b""


def _stream(streams: olefile.OleFileIO, folder: str, name: str) -> bytes | None:
    path = [*filter(None, [folder]), f"__substg1.0_{name}"]
    return bytes(streams.openstream(path).read()) if streams.exists(path) else None


def _sent(streams: olefile.OleFileIO) -> str:
    """When it was sent, in hundreds of nanoseconds since 1601."""
    found = re.search(re.escape(SENT) + b".{4}(.{8})", streams.openstream("__properties_version1.0").read(), re.DOTALL)
    ticks = int.from_bytes(found.group(1), "little") if found else 0
    return (
        f"{datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10):%Y-%m-%d %H:%M} UTC" if ticks else ""
    )
