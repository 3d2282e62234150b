"""How figures look: sizes, colours, line styles, matplotlib's settings."""

import numpy as np

DPI = 150
INK, MUTED = "#1f2328", "#59636e"
SHADES = ((127, 205, 187), (29, 145, 192), (12, 44, 132))  # of ColorBrewer's YlGnBu
FAINT = "#e3e6ea"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")  # Okabe and Ito 2008
CLASSES = ("#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777")
DASHES = ((0, (5, 3)), (0, (1, 2)), (0, (5, 2, 1, 2)), (0, (9, 3)))
POINTS = "Ds^v"
MARKERS = "os^DvPX"  # of lines, so that they differ without their colours
HATCHES = ("", "//", "..", "xx", "--", "\\\\", "++")  # of bars
STYLES = ("solid", "dashed", "dotted", "dashdot")  # of histograms
LOG_TICKS = ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0,))  # of a decade, by how much room there is for it
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#b6bdc5",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "font.size": 10,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.borderaxespad": 0.5,
    "legend.columnspacing": 1.6,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": "#b6bdc5",
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 9,
    "ytick.color": "#b6bdc5",
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 9,
}


def shades(count: int) -> list[str]:
    """So many colours from light to dark, for lines or bars that are ordered by a number."""
    places = np.linspace(0, 2, count) if count > 1 else [2.0]
    rgb = [[np.interp(place, (0, 1, 2), channel) for channel in zip(*SHADES, strict=True)] for place in places]
    return ["#" + "".join(f"{round(value):02x}" for value in colour) for colour in rgb]


def variant_of(place: int) -> int:
    """Which of MARKERS a line has, or of HATCHES bars; when the colours begin anew, those of one colour get others."""
    return (place + place // len(PALETTE)) % len(PALETTE)


def colour_of(colour: int | str) -> str:
    """A colour, or that of the palette with this index."""
    return colour if isinstance(colour, str) else PALETTE[colour % len(PALETTE)]
