"""Of a table row the cells that a question asks for: those whose header is nearest to it. The first cell names the row.

Whoever asks for the price of express delivery is not helped by its days, which stand in the same row.
"""

import numpy as np
from langchain_core.embeddings import Embeddings

from bot.claims import rows
from bot.claims.rows import Cell

MARGIN = 0.1  # of the cosine, behind the nearest header's
READ = 0.1  # for the cell that a reader finds the answer in


def asked_for(embeddings: Embeddings, question: str, row: str, words: str = "") -> list[Cell]:
    """The cells, without the first, that may be meant; none where a text is no row. `words` are those in which a reader
    finds the answer."""
    _, *cells = rows.cells(row) or (None,)
    if not cells:
        return []
    asked, *headers = np.array(embeddings.embed_documents([question, *(cell.header for cell in cells)]))
    read = np.array([bool(words) and words in row[cell.start : cell.end] for cell in cells])
    near = np.array(headers) @ asked + READ * read
    return [cell for cell, one in zip(cells, near, strict=True) if one >= max(near) - MARGIN]


def cut(embeddings: Embeddings, question: str, row: str, words: str = "") -> str:
    """A row with its first cell and those that are asked for; any other text as it is."""
    asked = asked_for(embeddings, question, row, words)
    return "; ".join(row[cell.start : cell.end] for cell in (rows.cells(row)[0], *asked)) if asked else row
