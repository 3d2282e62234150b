"""What the report trains: its weights, models and pairs, and what it saw of them."""

from typing import Literal, NamedTuple

from experiments.digit_addition.outcomes import CORRECT, NINES, NUMBER, OTHER, Seen
from jaxae.models import AdditionModel


class Weights(NamedTuple):
    """Of the loss: of the errors of the image of a and of the sum's, and of the KL of E and of P."""

    original: float
    added: float
    E: float = 0.0
    P: float = 0.0


class Setting(NamedTuple):
    """Weights, and the outcome that the report saw, where it says so."""

    weights: Weights
    outcome: str = ""
    source: str = "Table 1"


ROWS = {  # of the report's Table 1; two pairs of rows are alike, and one training stands for both
    "row 1": Setting(Weights(0.1, 0.5, 1e-5, 1e-5), NINES),
    "row 2": Setting(Weights(0.1, 0.5, 1e-4, 1e-4), NINES),
    "row 3": Setting(Weights(0.3, 0.7, 1e-4, 2e-4), NINES),
    "row 4": Setting(Weights(0.5, 0.5, 5e-4, 5e-4), NINES),
    "row 5": Setting(Weights(0.7, 0.7, 2e-4, 2e-4), NINES),
    "row 6": Setting(Weights(1.0, 1.0, 5e-4, 5e-4), NINES),
    "row 7": Setting(Weights(0.5, 0.5, 1e-4, 2e-4), NUMBER),
    "row 8": Setting(Weights(0.6, 0.8, 1.5e-4, 1.5e-4), NUMBER),
    "rows 9 and 10": Setting(Weights(1.0, 1.0, 1e-4, 1e-4), NUMBER),
    "row 11": Setting(Weights(1.2, 0.8, 5e-5, 5e-5), NUMBER),
    "row 12": Setting(Weights(1.0, 0.2, 1e-4, 1e-4), OTHER),
    "rows 13 and 14": Setting(Weights(1.0, 0.4, 1e-4, 5e-4), OTHER),
    "row 15": Setting(Weights(0.9, 0.1, 2e-4, 2e-4), OTHER),
    "row 16": Setting(Weights(0.1, 1.0, 1e-5, 1e-5), CORRECT),
}
FINAL = "generative row 16"  # the report's third model
INTEGER = Seen("4.5", (8, 8, 8), (1.5, 1.6))  # "only the sum between the base number and the decimal integer"
FRACTIONS = {  # what it sees of its three models: the digits of 7 + 1.4, 1.5 and 1.6, and which of them are blurred
    "adder": INTEGER,
    "adder course": INTEGER,
    "vae": Seen("5.1.1", (8, 8, 9), (1.5,)),  # "averaged correctly" but at .5, then "to the previous base number"
    FINAL: Seen("5.2", (8, 9, 9), ()),  # the next one from .5 up
}
NUMBERED = {int(word): row for row in ROWS for word in row.split() if word.isdecimal()}  # 1 to 16, to their names


class Recipe(NamedTuple):
    """A model, the pairs that it is trained on, and its weights: the report gives the generative ones alone."""

    model: AdditionModel
    pairs: Literal["course", "natural", "balanced"]
    setting: Setting


VAE = AdditionModel(variational=True, value_to_latent=True)
PLAIN, GENERATIVE = VAE.clone(value_to_latent=False), VAE.clone(generative=True)
ADDER = Setting(Weights(1.0, 1.0), CORRECT, "4.5, of whole numbers")
LAST = ROWS["row 16"].weights._replace(P=0.0)
UNBALANCED = Setting(LAST, NINES, "5.1.1, of unbalanced pairs")
RECIPES = {
    "adder": Recipe(AdditionModel(), "natural", ADDER),
    "adder-course": Recipe(AdditionModel(), "course", ADDER),
    "vae": Recipe(VAE, "balanced", Setting(LAST, CORRECT, "5.1.1")),
    "vae-natural": Recipe(VAE, "natural", Setting(LAST)),
    "vae-course": Recipe(VAE, "course", Setting(LAST)),
    "vae-plain": Recipe(PLAIN, "balanced", Setting(LAST, NINES, "5.1.1")),
    "vae-natural-plain": Recipe(PLAIN, "natural", UNBALANCED),
    "vae-course-plain": Recipe(PLAIN, "course", UNBALANCED),
    "generative": Recipe(GENERATIVE, "balanced", ROWS["row 16"]),
    "generative-natural": Recipe(GENERATIVE, "natural", ROWS["row 16"]),
    "generative-course": Recipe(GENERATIVE, "course", ROWS["row 16"]),
}
Name = Literal[
    "adder", "adder-course", "vae", "vae-natural", "vae-course", "vae-plain", "vae-natural-plain", "vae-course-plain",
    "generative", "generative-natural", "generative-course",
]  # fmt: skip
USUAL = ("adder-course", "vae", "vae-course", "vae-plain", "vae-course-plain", "generative")  # as the report's
TWINS = ("adder", "vae-natural-plain")  # of arms with the course's pairs, which decide
