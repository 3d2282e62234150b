"""benchmark: how fast jaxae trains, side by side with PyTorch.

For every study's model and batch size (and 128 where that is smaller): images per second of complete training steps
(forward, backward, update, transforms, shuffling) of jaxae's own `train`, against PyTorch written well (the best of
several ways, see `torch_training`) and as it is commonly written. Runs alternate, each a process of its own with as
many threads; both sides' losses after the same steps from the same parameters on the same batches are held together.
Further parts: many seeds at once, start-up, evaluation, memory by the number of images, and what a step spends its time
on.

Needs    PyTorch, in this Python or, with --torch-python, in another one; it isn't among jaxae's dependencies
Run      python -m experiments.benchmark --torch-python PATH --save experiments/results/benchmark.json
Also     --device gpu; --parts steps; --arms fc conv; --check experiments/results/benchmark.json
Results  experiments/results/benchmark.json, where it has been measured; on a machine that does nothing else
"""

# nothing is imported here: PyTorch's side runs in Pythons that lack jaxae's dependencies
