"""The explorer: a trained decoder in the report's page, which draws whatever code its reader moves to.

`measure` gathers what it needs of the trained arms, as arrays of the findings, which no committed file holds; `say`
makes a section of the page of them. The decoder is a list of layers (`networks`), rounded and packed (`packing`), which
the page runs itself (templates/network.js).
"""

from jaxae.report.explorer.gathering import gathered
from jaxae.report.explorer.page_section import explorer_sections

__all__ = ["explorer_sections", "gathered"]
