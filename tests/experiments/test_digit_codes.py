"""What `digit_codes` calls early stopping, a rise and the best, by hand, and how it is worded."""

import dataclasses
import re

import numpy as np
import pytest

import jaxae as ae
from experiments import digit_codes
from experiments.digit_codes import method as codes
from experiments.digit_codes import words as codes_words
from experiments.digit_codes.measures import plateau, scatter, stop
from jaxae.train.curves import rise

SEEDS = (4, 5, 6, 7)


def found(config, measures, seeds=SEEDS, **parts) -> ae.Findings:
    """Findings of these measures."""
    return ae.Findings(ae.results.Origin(config, seeds, ()), measures, **parts)


def test_the_course_of_a_curve():
    assert plateau(np.array([10.0, 5.0, 1.0, 0.1, 0.0])) == 4
    zigzag = np.exp(0.01 * (-1.0) ** np.arange(12))
    assert scatter(zigzag) == pytest.approx(100 * 0.04 / np.sqrt(6))
    assert scatter(np.exp(-0.1 * np.arange(12))) == pytest.approx(0, abs=1e-9)


def test_early_stopping_ends_after_so_many_epochs_without_a_lower_loss():
    losses = np.array([3.0, 2.0, 2.0, 2.5, 1.0, 1.5, 1.4, 1.3])
    assert [stop(losses, patience) for patience in (1, 2, 3, 4)] == [3, 4, 8, 8]


def test_a_rise_is_of_the_last_tenth_over_the_lowest():
    falling, turning = np.linspace(2, 1, 20), np.array([*np.linspace(2, 1, 10), *np.linspace(1, 1.5, 10)])
    assert rise(falling) == 0
    last, lowest = np.mean(turning[-2:]), 1.0  # the two 1s in the middle
    assert rise(turning) == pytest.approx(100 * (last / lowest - 1))


def test_dead_seeds_decide_nothing():
    measures = {"a": {"m": np.array([9.0, 1.0, 1.1, 1.2])}, "b": {"m": np.array([2.0, 2.1, 2.0, 2.2])}}
    seen = found(codes.Config(), measures, dead={"a": (4,)})
    assert seen.living("a", "b").tolist() == [False, True, True, True]
    assert codes_words.side(seen, "a", "b", "m") == -1  # with the dead seed nothing could be said
    assert codes_words.side(found(codes.Config(), measures), "a", "b", "m") == 0
    assert found(codes.Config(), measures, dead={"b": SEEDS}).living("b").all()


def decoders(transposed, others):
    """Measures of the arms with codes of 2, four seeds, by the means of those trained on BCE and on MSE."""
    spread = np.array([0.0, 0.001, -0.001, 0.002])
    measures = {}
    for decoder in codes.DECODERS:
        for loss, mean in zip(("bce", "mse"), transposed if decoder == "transposed" else others, strict=True):
            names = [f"{split}/{name}/last" for split in codes.SPLITS for name in ("rmse", "bce", "rmse per image")]
            measures[f"{decoder} 2 {loss}"] = dict.fromkeys(names, mean + spread)
            measures[f"{decoder} 2 {loss}"] |= {codes_words.RISE: 10 * spread, codes_words.GAP: 1 + spread}
    return measures


@pytest.mark.parametrize(
    ("transposed", "others", "statement", "best", "word"),
    [
        ((0.15, 0.2), (0.16, 0.21), "holds on one scale too", "is the best, as the report says", "best"),
        ((0.2, 0.15), (0.19, 0.14), "doesn't hold on one scale", "isn't the best, as the report says", "not best"),
        (
            (0.14, 0.15),
            (0.16, 0.15),
            "lowers the RMSE with the transposed decoder and raises it with the upsampling/interpolation decoder",
            "",
            "undecided",
        ),
    ],
)
def test_losses_and_decoders_are_judged_by_pairs(transposed, others, statement, best, word):
    seen = found(codes.Config(), decoders(transposed, others))
    document = digit_codes.EXPERIMENT.document(seen)
    assert statement in document.conclusions
    assert best in document.conclusions
    assert document.tables[0].rows[0][-1] == word  # of those trained on MSE
    assert "no arm's validation loss ends more than 1% above its lowest" in document.conclusions
    assert not document.figures  # none was measured


def test_decided_numbers_and_the_answers_to_all_claims_are_in_the_table_of_reports():
    seen = found(codes.Config(), decoders((0.1745, 0.1745), (0.1745, 0.1745)))
    document = digit_codes.EXPERIMENT.document(seen)
    says, finds, _ = document.line[:3]
    assert "nothing overfits" in says
    assert re.match(
        r"The RMSE of transposed 2 mse ends at 0\.17.* on training images \(0\.1745 in the report: repr", finds
    )
    assert "whether the transposed decoder is the best with" in finds
    assert finds.endswith("nothing overfits.")
    barred = digit_codes.EXPERIMENT.document(found(codes.Config(epochs=5), decoders((0.15, 0.2), (0.16, 0.21))))
    assert barred.aside[1].startswith("not comparable yet (0 images, 5 epochs): in RMSE")


def test_one_seed_and_seeds_that_are_all_slow_are_worded_too():
    measures = decoders((0.2, 0.2), (0.2, 0.2))
    alone = {arm: {name: values[:1] for name, values in of.items()} for arm, of in measures.items()}
    for epochs in (100, 5):
        document = digit_codes.EXPERIMENT.document(found(codes.Config(epochs=epochs), alone, SEEDS[:1]))
        assert (document.line, document.aside) == ((), ("", ""))
    seen = found(codes.Config(), measures)
    document = digit_codes.EXPERIMENT.document(dataclasses.replace(seen, slow=dict.fromkeys(seen.measures, SEEDS)))
    assert "shows one picture for every digit so far, in 4 of 4 seeds" in document.conclusions


def test_what_is_not_comparable_is_not_held_against_the_report():
    seen = found(codes.Config(epochs=5), decoders((0.15, 0.2), (0.16, 0.21)))
    conclusions = digit_codes.EXPERIMENT.document(seen).conclusions
    assert "The transposed decoder is the best: both others" in conclusions
    assert "report" not in conclusions
    assert "holds" not in conclusions
