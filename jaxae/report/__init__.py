"""Reports: documents as data, and as pages; figures as data, and drawn."""

from jaxae.report.document import Document, Section, Table
from jaxae.report.words import Words, words

__all__ = ["Document", "Section", "Table", "Words", "words"]
