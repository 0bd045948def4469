"""XML of any vocabulary. Nothing outside the file is loaded and no entity is expanded."""

from typing import Any

from lxml import etree

from bot.errors import UnreadableDocument
from ingest.readers.data import outline
from ingest.readers.reading import Block, Reading, first_heading, heading

TITLES = {"title", "head", "heading", "subject", "caption"}
# Below this depth text is kept without its structure.
DEEPEST = 100


def parse(content: bytes, name: str) -> Any:
    """The root element, for this reader and for the XML inside other formats."""
    if b"<!ENTITY" in content:
        raise UnreadableDocument(f"'{name}' declares entities of its own, which is unsafe to read; save it without.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableDocument(f"'{name}' is damaged: it is not valid XML.") from error


def read_xml(text: str, name: str) -> Reading:
    """An XML file: prose by its paragraphs, records by the names of their elements."""
    # The declaration names the encoding that the text no longer has.
    body = text.lstrip()
    body = body[body.index("?>") + 2 :] if body.startswith("<?xml") and "?>" in body else body
    root = parse(body.encode(), name)
    if _is_prose(root):
        blocks = tuple(_prose(root))
        return Reading(first_heading(blocks), blocks)
    return outline({_local(root): _value(root, 0)})


def text_of(element: Any) -> str:
    """All text inside an element, on one line."""
    return " ".join("".join(element.itertext(etree.Element, "*")).split())


def _is_prose(root: Any) -> bool:
    """Whether some text stands between elements, as in a sentence with a stressed word."""
    return any((element.tail or "").strip() for element in root.iterdescendants("*"))


def _prose(root: Any) -> list[Block]:
    blocks = []
    waiting = [(root, 0)]
    while waiting:
        element, depth = waiting.pop()
        if len(element) and not _mixed(element) and depth < DEEPEST:
            waiting += [(child, depth + 1) for child in reversed(element) if isinstance(child.tag, str)]
        elif text := text_of(element):
            is_title = _local(element) in TITLES
            blocks.append(heading(text, max(depth, 1)) if is_title else Block("text", text))
    return blocks


def _mixed(element: Any) -> bool:
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def _value(element: Any, depth: int) -> Any:
    """An element as JSON would say it: attributes and children by name, a list where a name comes again."""
    children = [child for child in element if isinstance(child.tag, str)]
    if depth > DEEPEST or not (children or element.attrib):
        return text_of(element)
    value: dict[str, Any] = {str(etree.QName(key).localname): text for key, text in element.attrib.items()}
    if text := (element.text or "").strip():
        value["text"] = text
    named: dict[str, list[Any]] = {}
    for child in children:
        named.setdefault(_local(child), []).append(_value(child, depth + 1))
    value |= {key: items[0] if len(items) == 1 else items for key, items in named.items()}
    return value


def _local(element: Any) -> str:
    return str(etree.QName(element).localname)
