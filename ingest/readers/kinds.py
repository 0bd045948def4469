"""Which kind of file this is, by its content. A name only decides between kinds of text that look alike."""

import re
import struct

from bot.errors import UnreadableDocument
from ingest.readers.data import is_json
from ingest.readers.delimited import is_delimited

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# What the content types of an Office file call its main part.
OFFICE = {
    "wordprocessingml.document.main": "docx",
    "wordprocessingml.template.main": "docx",
    "ms-word.document.macroEnabled": "docx",
    "presentationml.presentation.main": "pptx",
    "presentationml.slideshow.main": "pptx",
    "presentationml.template.main": "pptx",
    "ms-powerpoint": "pptx",
    "spreadsheetml.sheet.main": "sheets",
    "spreadsheetml.template.main": "sheets",
    "ms-excel": "sheets",
}
OPEN = {"text": "odt", "spreadsheet": "sheets", "presentation": "odt"}
OLE_STREAMS = {
    "EncryptedPackage": "locked",
    "__properties_version1.0": "msg",
    "WordDocument": "doc",
    "PowerPoint Document": "ppt",
    "Workbook": "sheets",
    "Book": "sheets",
}
IMAGES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*")
TEXTS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".rst": "rst",
    ".org": "org",
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".eml": "mail",
}
HTML = re.compile(r"\s*(<\?xml[^>]*>)?\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
FRAGMENT = re.compile(
    r"\s*<(div|p|h[1-6]|table|ul|ol|section|article|main|span|meta|title|style)\b[^>]*>", re.IGNORECASE
)
MAIL_FIELD = re.compile(
    r"^(from|to|cc|subject|date|message-id|mime-version|received|return-path|content-type|delivered-to|reply-to):",
    re.IGNORECASE | re.MULTILINE,
)
PDF = re.compile(rb"%PDF-\d")
FIELD = re.compile(r"[\w-]+:|\s|From ")
XML = re.compile(r"\s*(<\?xml\b|<!DOCTYPE\b|<[A-Za-z_][\w.:-]*[\s/>])")


def binary_kind(content: bytes, name: str) -> str | None:
    """The kind of a file that is not text, else None."""
    head = content[:1024]
    if b"%PDF-" in head and PDF.search(head) and (head.startswith(b"%PDF") or b"endobj" in content):
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(content, name)
    if head.startswith(OLE):
        return _ole_kind(content, name)
    if head.startswith(IMAGES):
        return "image"
    return "rtf" if head.startswith(b"{\\rtf") else None


def text_kind(text: str, name: str) -> str:
    """The kind of a text."""
    hint = TEXTS.get("".join(name.rpartition(".")[1:]).lower(), "")
    if HTML.match(text) or (not hint and FRAGMENT.match(text)):
        return "html"
    if XML.match(text) and hint != "markdown" and text.rstrip().endswith(">"):
        return "xml"
    if is_json(text):
        return "json"
    if is_mail(text) or hint == "mail":
        return "mail"
    return hint or ("delimited" if is_delimited(text) else "text")


def is_mail(text: str) -> bool:
    """Whether the text begins with a mail's header: fields only, at least three of those that mails have."""
    header = text.lstrip("\n").split("\n\n", 1)[0]
    fields = {match.group(1).lower() for match in MAIL_FIELD.finditer(header)}
    enough = len(fields) > 2 or {"mime-version", "content-type"} <= fields
    return enough and all(FIELD.match(line) for line in header.splitlines())


def _zip_kind(content: bytes, name: str) -> str:
    from ingest.readers import archive  # here and below, since no text needs them

    files = archive.opened(content, name)
    names = set(files.namelist())
    if "[Content_Types].xml" in names:
        types = archive.member(files, "[Content_Types].xml", name).decode("utf-8", "replace")
        return next((kind for word, kind in OFFICE.items() if word in types), "unsupported")
    kind = archive.member(files, "mimetype", name).decode("latin-1").strip() if "mimetype" in names else ""
    if kind.startswith("application/vnd.oasis.opendocument."):
        return OPEN.get(kind.split(".")[-1].removesuffix("-template"), "unsupported")
    return "epub" if kind == "application/epub+zip" or "META-INF/container.xml" in names else "zip"


def _ole_kind(content: bytes, name: str) -> str:
    """Older Office files and Outlook's messages are a small file system; its root says which they are."""
    import olefile

    try:
        with olefile.OleFileIO(content) as streams:
            return next((kind for stream, kind in OLE_STREAMS.items() if streams.exists(stream)), "unsupported")
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise UnreadableDocument(
            f"'{name}' is damaged; open it in the program it came from and save it again."
        ) from error
