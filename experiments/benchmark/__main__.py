"""`python -m experiments.benchmark`."""

import signal

import tyro

from experiments import benchmark
from experiments.benchmark.config import Config
from experiments.benchmark.run import run_benchmark
from jaxae.run.command_line import described, with_errors

card = described(benchmark.__doc__ or "")
signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the process that measures ends too
with_errors(lambda: run_benchmark(tyro.cli(Config, prog="python -m experiments.benchmark", description=card)))
