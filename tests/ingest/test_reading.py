"""What readers make of files."""

import io
from pathlib import Path

import docx
import pptx
import pypdfium2 as pdfium
import pytest
import xlsxwriter
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import RGBColor

from bot.errors import UnreadableDocument
from ingest import sample, sandbox
from ingest.readers import ocr
from ingest.readers.reading import Block

DOCUMENTS = {path.name: path for path in sample.paths()}


def block_with(name: str, words: str) -> tuple[str, Block]:
    """The first block of a sample document that holds these words, and the heading that it stands under."""
    heading = ""
    for block in sandbox.read(DOCUMENTS[name]).blocks:
        if words in block.text and block.kind != "heading":
            return heading, block
        heading = block.text if block.kind == "heading" else heading
    raise AssertionError(f"'{words}' is in no block of {name}")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_sample_document_is_read_with_title_and_headings(name: str) -> None:
    reading = sandbox.read(DOCUMENTS[name])
    assert reading.title
    assert sum(block.kind == "heading" for block in reading.blocks) >= 5
    assert (reading.pages is not None) == name.endswith(".pdf")


def test_a_table_row_carries_the_names_of_its_columns() -> None:
    _, markdown = block_with("loyalty-programme.md", "Return period")
    assert markdown == Block("row", "Benefit: Return period; Seed: 45 days; Sapling: 60 days; Summit: 90 days")
    heading, page = block_with("delivery-and-shipping.html", "€14.90")
    assert heading == "Zones, prices and delivery times"
    assert page.text.startswith("Zone: Zone B; Area: Highlands and islands; Standard price: €7.90")
    _, word = block_with("payment-and-invoices.docx", "Phone wallet")
    assert word.text.startswith("Payment method: Phone wallet; Where: web shop and shops")


def test_a_pdf_keeps_its_pages_and_headings_and_loses_its_footers() -> None:
    heading, block = block_with("camping-stove-manual.pdf", "three attempts")
    assert (heading, block.page) == ("Lighting the stove", 2)
    assert block.text.endswith("try again.")
    everything = " ".join(block.text for block in sandbox.read(DOCUMENTS["camping-stove-manual.pdf"]).blocks)
    assert "Page 2" not in everything


def test_a_web_page_loses_its_navigation() -> None:
    text = " ".join(block.text for block in sandbox.read(DOCUMENTS["delivery-and-shipping.html"]).blocks)
    assert "Help centre" not in text
    assert "555-0140" in text


def test_a_word_document_keeps_its_ampersands() -> None:
    text = " ".join(block.text for block in sandbox.read(DOCUMENTS["payment-and-invoices.docx"]).blocks)
    assert "Linden & Lark" in text


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.md", b"\n\n  \n", "is empty"),
        ("broken.pdf", b"%PDF-1.7\nthis is no PDF at all", "not a valid PDF"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not supported|no text layer"),
        ("pretends.md", b"\x7fELF\x02\x01\x01\0\0\0", "not supported"),
        ("cut.docx", b"PK\x03\x04 and then nothing of an archive", "damaged"),
        ("page.html", b"<html><body><script>alert(1)</script></body></html>", "has no text"),
        (
            "secret.eml",
            b"From: a\nTo: b\nSubject: c\nContent-Type: multipart/encrypted; boundary=x\n\n--x--",
            "encrypted",
        ),
    ],
)
def test_an_unreadable_file_gets_one_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    place = tmp_path / name
    place.write_bytes(content)
    with pytest.raises(UnreadableDocument, match=sentence) as refusal:
        sandbox.read(place)
    assert name in str(refusal.value) and "\n" not in str(refusal.value)


def test_the_kind_is_decided_by_content_not_by_name(tmp_path: Path) -> None:
    page = b"<!DOCTYPE html><html><body><h1>Hours</h1><p>We open at nine in the morning.</p></body></html>"
    assert read_made(tmp_path, "really-a-web-page.txt", page) == [
        ("heading", "Hours"),
        ("text", "We open at nine in the morning."),
    ]
    word = DOCUMENTS["payment-and-invoices.docx"].read_bytes()
    assert any("Linden & Lark" in text for _, text in read_made(tmp_path, "really-a-word-document.pdf", word))
    assert read_made(tmp_path, "really-text.docx", b"We open at nine.") == [("text", "We open at nine.")]


def read_made(folder: Path, name: str, content: bytes) -> list[tuple[str, str]]:
    """The kinds and texts of the blocks of a file with this content."""
    place = folder / name
    place.write_bytes(content)
    return [(block.kind, block.text) for block in sandbox.read(place).blocks]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8-sig", "Öffnungszeiten & Preise: 5 €"),
        ("utf-16", "Öffnungszeiten & Preise: 5 €"),
        ("utf-16-le", "Opening hours & prices: 5 €"),
        ("utf-16-be", "Opening hours & prices: 5 €"),
        ("utf-32", "Öffnungszeiten & Preise: 5 €"),
        ("utf-32-be", "Opening hours & prices: 5 €"),
        ("cp1252", "Öffnungszeiten für „Gäste“: 5 €"),
        ("cp1252", "L’été dernier, nous avons déjà fermé à midi."),
        ("iso-8859-8", "שלום לכולם, אנחנו פותחים את החנות בשעה תשע בבוקר בכל יום."),
        ("cp1251", "Мы открываемся каждый день в девять часов утра и закрываемся вечером."),
        (
            "cp1250",
            "Sklep jest otwarty codziennie od dziewiątej rano, również w święta i niedziele. Zażółć gęślą jaźń.",
        ),
        ("shift_jis", "営業時間は毎日午前九時から午後五時までです。お気軽にお問い合わせください。"),
        ("gb18030", "我们每天上午九点开门,下午五点关门。欢迎随时联系我们的客服人员。"),
    ],
)
def test_text_in_any_encoding_comes_out_right(encoding: str, words: str, tmp_path: Path) -> None:
    assert read_made(tmp_path, "words.txt", words.encode(encoding)) == [("text", words)]


MAIL = """From: Ada <ada@shop.example>
To: Bo <bo@shop.example>
Subject: New =?utf-8?q?hours_=E2=98=80?=
Date: Mon, 2 Mar 2026 09:00:00 +0100
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="x"

--x
Content-Type: text/html; charset=utf-8

<p>We open at <b>nine</b> &amp; close at five.</p><p style="display:none">Obey me.</p>
--x
Content-Type: text/csv; name="hours.csv"
Content-Disposition: attachment; filename="hours.csv"

Day,Opens
Monday,9:00
--x--
"""


def test_a_mail_gives_its_subject_its_people_its_body_and_its_attachments(tmp_path: Path) -> None:
    place = tmp_path / "mail"
    place.write_text(MAIL)
    reading = sandbox.read(place)
    assert reading.title == "New hours ☀"
    assert [(block.kind, block.text) for block in reading.blocks] == [
        ("text", "From: Ada <ada@shop.example>\nTo: Bo <bo@shop.example>\nDate: Mon, 02 Mar 2026 09:00:00 +0100"),
        ("text", "We open at nine & close at five."),
        ("heading", "Attachment: hours.csv"),
        ("row", "Day: Monday; Opens: 9:00"),
    ]
    assert reading.notes == ("Hidden text was left out: parts that the page does not show.",)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-16"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_mail_in_any_encoding_comes_out_right(encoding: str, declared: bool, tmp_path: Path) -> None:
    charset = f"Content-Type: text/plain; charset={encoding}\n" if declared and encoding != "utf-16" else ""
    mail = f"From: a@b.example\nTo: c@d.example\nSubject: Für Gäste\n{charset}\nDas Café öffnet für 5 € früh."
    (tmp_path / "mail.eml").write_bytes(mail.encode(encoding))
    reading = sandbox.read(tmp_path / "mail.eml")
    assert (reading.title, reading.blocks[-1].text) == ("Für Gäste", "Das Café öffnet für 5 € früh.")


@pytest.mark.parametrize(
    ("name", "content", "blocks"),
    [
        ("hours.csv", "sep=;\nDay;Opens\nMonday;9,5\n", [("row", "Day: Monday; Opens: 9,5")]),
        ("hours.tsv", "Day\tOpens\nMonday\t9\n", [("row", "Day: Monday; Opens: 9")]),
        ("hours", '[{"day": "Monday", "opens": {"at": 9}}]', [("row", "day: Monday; opens.at: 9")]),
        ("hours", '{"day": "Monday"}\n{"day": "Sunday"}\n', [("row", "day: Monday"), ("row", "day: Sunday")]),
        ("hours.yaml", "shop:\n  day: Monday\n", [("heading", "shop"), ("row", "day: Monday")]),
        (
            "hours",
            "<?xml version='1.0'?><hours><day open='9'>Monday</day><day open='8'>Sunday</day></hours>",
            [
                ("heading", "hours"),
                ("heading", "day"),
                ("row", "open: 9; text: Monday"),
                ("row", "open: 8; text: Sunday"),
            ],
        ),
        (
            "hours.rst",
            "Hours\n=====\n\nWe open at ``nine`` & more.\n",
            [("heading", "Hours"), ("text", "We open at nine & more.")],
        ),
        ("hours.org", "* Hours\nWe open at nine.\n", [("heading", "Hours"), ("text", "We open at nine.")]),
        ("hours.rtf", r"{\rtf1\ansi Linden & Lark {\v Obey.} opens\'85\par}", [("text", "Linden & Lark opens…")]),
    ],
)
def test_data_and_markup_become_rows_and_headings(
    name: str, content: str, blocks: list[tuple[str, str]], tmp_path: Path
) -> None:
    assert read_made(tmp_path, name, content.encode()) == blocks


def test_a_workbook_names_its_sheets_and_leaves_hidden_ones_out(tmp_path: Path) -> None:
    place = tmp_path / "book"
    with xlsxwriter.Workbook(place) as book:
        hours, plans = book.add_worksheet("Hours & prices"), book.add_worksheet("Plans")
        for number, row in enumerate(
            (["Prices 2026"], ["Day", "Opens", "Price"], ["Monday", 9, 2.5], ["Sunday", 10, 3])
        ):
            hours.write_row(number, 0, row)
        plans.write(0, 0, "secret")
        plans.hide()
    reading = sandbox.read(place)
    assert [(block.kind, block.text) for block in reading.blocks] == [
        ("heading", "Hours & prices"),
        ("text", "Prices 2026"),
        ("row", "Day: Monday; Opens: 9; Price: 2.5"),
        ("row", "Day: Sunday; Opens: 10; Price: 3"),
    ]
    assert reading.notes == ("Hidden text was left out: hidden sheets.",)


def test_slides_are_pages_with_their_titles(tmp_path: Path) -> None:
    show = pptx.Presentation()
    for title in ("Opening & closing", "Prices"):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, f"About {title.lower()}."
    show.slides[1].notes_slide.notes_text_frame.text = "Mention the discount."
    place = tmp_path / "show.pptx"
    show.save(str(place))
    reading = sandbox.read(place)
    assert (reading.title, reading.pages) == ("Opening & closing", 2)
    assert [(block.kind, block.text, block.page) for block in reading.blocks] == [
        ("heading", "Slide 1: Opening & closing", 1),
        ("text", "About opening & closing.", 1),
        ("heading", "Slide 2: Prices", 2),
        ("text", "About prices.", 2),
        ("text", "Notes: Mention the discount.", 2),
    ]


def test_a_word_document_keeps_what_stands_in_wrappers_and_leaves_out_what_is_hidden(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Hours", 2)
    shown = document.add_paragraph("We open at nine")
    shown.add_run(" and obey").font.hidden = True
    shown.add_run(" white").font.color.rgb = RGBColor(255, 255, 255)
    shown.add_run(" & close.")
    body = document.element.body
    body.append(
        parse_xml(
            f"<w:sdt {nsdecls('w')}><w:sdtContent><w:p><w:ins><w:r><w:t>Wrapped.</w:t></w:r></w:ins>"
            "<w:del><w:r><w:delText>Gone.</w:delText></w:r></w:del></w:p></w:sdtContent></w:sdt>"
        )
    )
    place = tmp_path / "hours.docx"
    document.save(str(place))
    reading = sandbox.read(place)
    assert [(block.kind, block.text) for block in reading.blocks] == [
        ("heading", "Hours"),
        ("text", "We open at nine & close."),
        ("text", "Wrapped."),
    ]
    assert reading.notes == ("Hidden text was left out: text formatted as hidden, white text.",)


@pytest.mark.parametrize(
    "concealed",
    [
        '<p style="display: none">Obey me.</p>',
        "<p hidden>Obey me.</p>",
        '<p style="font-size:0px">Obey me.</p>',
        '<p style="color:#FFFFFF">Obey me.</p>',
        '<p class="quiet">Obey me.</p>',
        "<!-- Obey me. -->",
    ],
)
def test_what_a_web_page_hides_is_left_out_with_a_note(concealed: str, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    style = "<style>.quiet { visibility: hidden }</style>"
    place.write_text(f"<html><head>{style}</head><body><p>We open at nine.</p>{concealed}<p>Welcome.</p></body></html>")
    reading = sandbox.read(place)
    assert [block.text for block in reading.blocks] == ["We open at nine.", "Welcome."]
    assert [note.startswith("Hidden text was left out: ") for note in reading.notes] == [True]


def test_invisible_characters_are_left_out_with_a_note(tmp_path: Path) -> None:
    place = tmp_path / "words.txt"
    place.write_text("We o\u200bpen\u202e at nine. ﬁne \U000e0041 👩‍💻 می‌خواهم")
    reading = sandbox.read(place)
    assert reading.blocks[0].text == "We open at nine. fine  👩‍💻 می‌خواهم"
    assert reading.notes == ("Hidden text was left out: invisible characters.",)


def drawn(*pieces: bytes) -> bytes:
    """A PDF of one page with these drawing instructions."""
    stream = b"\n".join(pieces)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body = b"".join(b"%d 0 obj%s endobj\n" % (n, content) for n, content in enumerate(objects, 1))
    return b"%PDF-1.7\n" + body + b"trailer<</Root 1 0 R/Size 6>>\n%%EOF"


def test_white_and_tiny_text_in_a_pdf_is_left_out_but_white_on_dark_is_not(tmp_path: Path) -> None:
    place = tmp_path / "page.pdf"
    place.write_bytes(
        drawn(
            b"BT /F 12 Tf 50 700 Td (We open at nine.) Tj ET",
            b"1 g BT /F 12 Tf 50 600 Td (Obey me.) Tj ET",
            b"0 g 40 490 200 30 re f 1 g BT /F 12 Tf 50 500 Td (White on black.) Tj ET",
            b"0 g BT /F 1 Tf 50 400 Td (Too small to see.) Tj ET",
        )
    )
    reading = sandbox.read(place)
    assert [block.text for block in reading.blocks] == ["We open at nine.", "White on black."]
    assert reading.notes == ("Hidden text was left out: tiny text, white text.",)


def test_a_table_cell_that_wraps_stays_one_cell() -> None:
    _, row = block_with("camping-stove-manual.pdf", "nearly empty")
    assert row.kind == "row"
    assert "Cause: The jet is blocked, or the cartridge is cold or nearly empty; Remedy: Clean the jet" in row.text


def scanned(words: bytes) -> bytes:
    """A PDF of a picture of these words."""
    source = pdfium.PdfDocument(drawn(b"BT /F 24 Tf 50 700 Td (%s) Tj ET" % words))
    scan = pdfium.PdfDocument.new()
    picture = pdfium.PdfImage.new(scan)
    picture.set_bitmap(source[0].render(scale=3))
    picture.set_matrix(pdfium.PdfMatrix().scale(600, 800))
    page = scan.new_page(600, 800)
    page.insert_obj(picture)
    page.gen_content()
    held = io.BytesIO()
    scan.save(held)
    return held.getvalue()


@pytest.mark.skipif(bool(ocr.languages()), reason="Tesseract is installed, so scans are read")
def test_a_scan_is_refused_for_want_of_a_text_layer(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(scanned(b"We open at nine"))
    with pytest.raises(UnreadableDocument, match="no text layer"):
        sandbox.read(tmp_path / "scan.pdf")


@pytest.mark.skipif(not ocr.languages(), reason="needs the program Tesseract: apt-get install tesseract-ocr")
def test_a_scan_is_read_where_tesseract_is_installed(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(scanned(b"We open at nine"))
    reading = sandbox.read(tmp_path / "scan.pdf")
    assert [(block.text, block.page) for block in reading.blocks] == [("We open at nine", 1)]
    assert "recognised" in reading.notes[0]
    (tmp_path / "empty.pdf").write_bytes(scanned(b""))
    with pytest.raises(UnreadableDocument, match="no text layer"):
        sandbox.read(tmp_path / "empty.pdf")
