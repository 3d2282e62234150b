"""TensorBoard's files, read back: losses, pictures, and flags with the final measures."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from quick import at, perform, read
from tensorboardX import RecordWriter
from tensorboardX.proto import event_pb2, plugin_hparams_pb2

from experiments.digit_addition.method import Weights
from jaxae.data.tfrecord import records
from jaxae.run.saved import load_result
from jaxae.run.tensorboard import _numbers, images_of_tree
from jaxae.transforms import SIGNED

ARM, TAG = "fc standardised", "fc_standardised"


def values(folder):
    """(step, value) of everything in a folder's event file, whose checksums are checked."""
    (path,) = folder.glob("events.*")
    parse = event_pb2.Event.FromString  # pyright: ignore[reportAttributeAccessIssue] (made at run time)
    return [(event.step, value) for event in map(parse, records(path)) for value in event.summary.value]


def test_losses_pictures_and_hparams_are_read_back(tmp_path):
    folder = perform(at(tmp_path / "run", learning_rates=(1.0, 0.5), tensorboard=True))
    seen = values(folder)
    history = json.loads((folder / "history.json").read_text())
    for lane, name, row in ((1, ARM, 1), (2, f"{ARM} rate 0.5", 0)):
        losses = [value.simple_value for _, value in seen if value.tag == f"{TAG}/lane_{lane}/train/loss"]
        np.testing.assert_allclose(losses, history[name]["train"]["loss"][row], rtol=1e-5)
    pictures = {(step, value.tag): value.image for step, value in seen if value.image.encoded_image_string}
    assert {tag for _, tag in pictures} == {
        f"{TAG}/lane_{lane}/{n}" for lane in (0, 2) for n in ("input", "output/image")
    }
    assert {step for step, _ in pictures} == {1, 2}
    shown = Image.open(io.BytesIO(pictures[2, f"{TAG}/lane_2/output/image"].encoded_image_string))
    assert (shown.width % 28, shown.height % 28) == (0, 0) and np.ptp(np.asarray(shown)) > 5

    session = values(folder / "hparams" / "fc_standardised_rate_0.5" / "seed 1")
    parse = plugin_hparams_pb2.HParamsPluginData.FromString  # pyright: ignore[reportAttributeAccessIssue]
    (begun,) = [parse(v.metadata.plugin_data.content) for _, v in session if v.tag.endswith("session_start_info")]
    given = {name: (value.number_value, value.string_value) for name, value in begun.session_start_info.hparams.items()}
    assert given["learning_rate"][0] == 0.5 and given["limit"][0] == 200 and given["learning_rates"][1] == "1.0 0.5"
    final = {v.tag: v.simple_value for _, v in session}
    (told,) = [parse(v.metadata.plugin_data.content) for _, v in session if v.tag.endswith("experiment")]
    named = {metric.name.tag for metric in told.experiment.metric_infos}
    assert named and named <= final.keys()  # by which the tab finds them
    measure = load_result(folder).findings.measures[f"{ARM} rate 0.5"]["test/mse"][1]
    assert final["final/test/mse"] == pytest.approx(measure, rel=1e-6)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_ends_the_events_and_not_the_run_and_each_epoch_is_saved_before(tmp_path, monkeypatch):
    def full(_):
        assert [*(tmp_path / "run" / "checkpoints").glob("*/*/state")]
        return RecordWriter("/dev/full")

    monkeypatch.setattr("jaxae.run.tensorboard._opened", full)
    with pytest.warns(UserWarning, match=r"events can't be written into .*No space left .*goes on without") as told:
        folder = perform(at(tmp_path / "run", tensorboard=True))
    assert len(told) == 1 and read(folder, "manifest.json")["status"] == "complete"


def test_hparams_are_mappings_or_named_tuples():
    weights = Weights(1.0, 0.5, E=0.25)
    assert _numbers(weights) == _numbers(weights._asdict()) == {"original": 1.0, "added": 0.5, "E": 0.25, "P": 0.0}
    assert _numbers(None) == {}


def test_images_are_found_wherever_they_lie_and_brought_to_unit():
    draw = np.random.default_rng(0).uniform(-1, 1, (2, 4, 5, 3)).astype(np.float32)
    tree = {"input": (draw, np.zeros((2, 7))), "output": {"image": 2 * draw, "logits": draw, "code": np.zeros((2, 3))}}
    found = images_of_tree({**tree, "target": draw}, SIGNED)
    assert [*found] == ["input/0", "output/image"]  # what is wanted is what went in
    np.testing.assert_allclose(found["output/image"], np.clip(draw + 0.5, 0, 1), atol=1e-6)
