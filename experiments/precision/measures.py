"""What is measured: every measure in both precisions, and their difference, by seed."""

import jaxae as ae
from experiments.precision.method import STUDIES, Runs


def difference_name(metric: str, config: ae.Flags) -> str:
    """What the difference in a measure is called."""
    return f"{metric}, {config.precision} - float32"


def measure(run: ae.Run, done: Runs) -> ae.Findings:
    """The arms "STUDY: ARM" of the studies that were trained in both precisions, and why the others weren't."""
    measures, dead = {}, {}
    for study in run.config.studies:
        if not all((study, precision) in done.found for precision in run.config.both):
            continue
        wide, narrow = (done.found[study, precision] for precision in run.config.both)
        for arm in wide.measures:
            if found := both(run.config, STUDIES[study].measures, wide, narrow, arm):
                measures[f"{study}: {arm}"] = found
                dead[f"{study}: {arm}"] = tuple(sorted({*wide.dead.get(arm, ()), *narrow.dead.get(arm, ())}))
    untrained = {f"{study} in {precision}": reason for (study, precision), reason in done.untrained.items()}
    return ae.Findings(run.origin, measures, dead, facts={"untrained": untrained})


def both(config, metrics, wide: ae.Findings, narrow: ae.Findings, arm: str) -> dict:
    """Of the metrics that an arm has by seed: float32, the other precision, and the difference, f64[seeds] each."""
    found = {}
    for metric in metrics:
        if wide.has(arm, metric) and wide.measures[arm][metric].ndim:
            pair = wide.measures[arm][metric], narrow.measures[arm][metric]
            found[difference_name(metric, config)] = pair[1] - pair[0]
            found |= {f"{metric}, {name}": values for name, values in zip(config.both, pair, strict=True)}
    return found
