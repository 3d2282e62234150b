"""`python -m experiments.benchmark`."""

import tyro

from experiments import benchmark
from experiments.benchmark.config import Config
from experiments.benchmark.run import run_benchmark
from jaxae.run.command_line import described, with_errors

card = described(benchmark.__doc__ or "")
with_errors(lambda: run_benchmark(tyro.cli(Config, prog="python -m experiments.benchmark", description=card)))
