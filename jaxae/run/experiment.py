"""An experiment: four steps, each a function with one kind of result, each to be done again without those before it.

arms(config)          what is trained, as studies; claims(config): what the report states    costs nothing
train(run)            the trained arms: states, histories and scores, all on disk            hours
measure(run, trained) the Findings: numbers by arm, metric and seed; arrays; facts           seconds to minutes
say(found)            the Document: conclusions, verdicts, tables, figures                   under a second
"""

import importlib
import importlib.util
import inspect
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxae.errors import UsageError
from jaxae.findings import Claim, Departure, Findings, collect
from jaxae.report import Document
from jaxae.report.curves import loss_curves
from jaxae.run import flags
from jaxae.study import Arm

if TYPE_CHECKING:
    from jaxae.run.run import Run

OWN = re.compile(r"experiments\.[a-z_]+")  # modules of jaxae's own studies


def no_claims(config: Any) -> Sequence[Claim]:
    """There is no report."""
    del config
    return ()


def inner_name(place: str, name: str) -> str:
    """What a training of a run inside is called: "fc_vs_conv-float32: fc unit"."""
    return f"{Path(place).name}: {name}"


def nothing_inside(config: Any) -> Mapping[str, tuple["Experiment", Any]]:
    """No run is made within this one."""
    del config
    return {}


def measure_training(run: "Run", trained: Any) -> Findings:
    """What is measured of every arm, and nothing more: losses, the scores of the test images, dead seeds."""
    return collect(run.origin, trained.values())


@dataclass(frozen=True)
class Experiment:
    """The functions that a study consists of; the last line of its file is `ae.cli(EXPERIMENT)`.

    - `module`: the file's `__name__`, by which `python -m` finds it; the file, where that is what started the run
    - `card`: its docstring: title, summary, then Source, Code, Expected, Run, Also
    - `config`: a subclass of Flags, all of whose fields have defaults
    - `arms`: config -> Arms: studies, and the settings that each is trained with in one program
    - `train`: run -> {name: Trained}, or whatever `measure` takes; it calls run.data, run.train, run.pretrained
    - `claims`: config -> the report's numbers, and which measure stands beside each
    - `measure`: (run, trained) -> Findings
    - `say`: Findings -> Document; without it the rows and the loss curves alone
    - `measured`: a saved result, which tells what a run costs; it need not be there
    - `inside`: config -> the runs that `train` makes within this one: {place in its folder: (experiment, its flags)}
    - `about`: config -> title and summary of a run that isn't the card's study, such as one of other images; "" for one
      that is
    """

    module: str
    card: str | None
    config: type[flags.Flags]
    arms: Callable[[Any], Sequence[Arm]]
    train: Callable[["Run"], Any]
    claims: Callable[[Any], Sequence[Claim]] = no_claims
    measure: Callable[["Run", Any], Findings] = measure_training
    say: Callable[[Findings], Document] | None = None
    measured: Path | None = None
    _: KW_ONLY
    inside: Callable[[Any], Mapping[str, tuple["Experiment", Any]]] = nothing_inside
    about: Callable[[Any], str] | None = None

    @property
    def name(self) -> str:
        """What it is called in manifests and folders."""
        return Path(self.program[-1]).stem if self.program[1] != "-m" else self.program[2].rpartition(".")[2]

    @property
    def program(self) -> tuple[str, ...]:
        """The words that start it: "python -m experiments.NAME", or "python FILE"."""
        if self.module != "__main__":
            return ("python", self.module) if self.module.endswith(".py") else ("python", "-m", self.module)
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        return ("python", sys.argv[0]) if spec is None else ("python", "-m", spec.name.removesuffix(".__main__"))

    @property
    def title(self) -> str:
        """The first line of the card."""
        return " ".join(self._text.partition("\n\n")[0].split()) or self.name

    @property
    def summary(self) -> str:
        """The paragraph after it."""
        return " ".join(self._text.partition("\n\n")[2].partition("\n\n")[0].split())

    def heading(self, config: Any) -> tuple[str, str]:
        """The title and the summary of a run with these flags."""
        if not (own := self.about(config) if self.about else ""):
            return self.title, self.summary
        title, _, summary = own.partition("\n\n")
        return title, summary

    def command(self, config: flags.Flags, *, local: Sequence[str] = ()) -> str:
        """The shortest command line that gives this run, with those of the `local` flags that were given."""
        return " ".join(filter(None, [shlex.join(self.program), flags.words_of(config, local=local)]))

    def trainings(self, config: Any) -> dict[str, Arm]:
        """What is trained, by names that tell all of it apart: the arms, and those of the runs inside."""
        found = {arm.study.name: arm for arm in self.arms(config)}
        for place, (experiment, own) in self.inside(config).items():
            found |= {inner_name(place, name): arm for name, arm in experiment.trainings(own).items()}
        return found

    def document(self, found: Findings) -> Document:
        """What is said of findings, with the loss curves, where they are at hand, as the first figure."""
        said = self.say(found) if self.say else Document("", rows=found.rows(self.claims(found.config)))
        curves = loss_curves(found)
        figures: Mapping[str, Any] = {} if curves is None else {"loss_curves": curves}
        return replace(said, figures={**figures, **said.figures})

    def departures(self, found: Findings) -> tuple[Departure, ...]:
        """How a run departs from what the report did; without claims, or on other images, there is no report."""
        if self.claims is no_claims or (self.about and self.about(found.config)):
            return ()
        return found.departures

    @property
    def _text(self) -> str:
        return inspect.cleandoc(self.card or "")


def find_experiment(module: str, given: str = "") -> Experiment:
    """The experiment that a manifest names, if it is one of jaxae's own, or the one that the user has `given`.

    A file of results chooses no code: modules other than `experiments.NAME` are imported only where the command line
    names them. Raises UsageError where there is none.
    """
    if not given and not OWN.fullmatch(module):
        raise UsageError(f"the run is of {module!r}, which isn't one of jaxae's own; name its file with --experiment")
    name = given or module
    loaded = _imported(name)
    found = getattr(loaded, "EXPERIMENT", None)
    if not isinstance(found, Experiment):
        raise UsageError(f"{name!r} has no EXPERIMENT; name a module or a file that has one with --experiment")
    if module.endswith(".py"):  # so that its commands are those that made the run
        return replace(found, module=module)
    return replace(found, module=found.module if found.module != "__main__" else module)


def _imported(name: str) -> Any:
    """The module or file of a study. Raises UsageError for whatever keeps it from being one, its own mistakes too."""
    if not name.endswith(".py") and not all(name.split(".")):
        raise UsageError(
            f"{name!r} is neither a module, such as mine.study, nor a file of Python; give --experiment one"
        )
    try:
        return _file_module(Path(name)) if name.endswith(".py") else importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"the experiment {name!r} can't be imported ({error}); run this where it can, or give --experiment"
        ) from None
    except SystemExit as stop:
        raise UsageError(
            f"the experiment {name!r} ends the program when it is imported (with {stop.code!r}); let it do so only "
            "where it is run itself, under `if __name__ == '__main__':`"
        ) from stop
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())}{_place(error)}"
        raise UsageError(
            f"the experiment {name!r} can't be imported ({said}); mend it, and have what trains under "
            "`if __name__ == '__main__':`"
        ) from error


def _place(error: Exception) -> str:
    """Where a study's own code stopped, not jaxae's beneath it; a SyntaxError says that itself."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename[0] != "<"]
    own = [frame for frame in frames if Path(__file__).parents[1] not in Path(frame.filename).parents]
    return f", line {own[-1].lineno} of {Path(own[-1].filename).name}" if own else ""


def _file_module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"no file {path}")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # where its dataclasses look their annotations up
    sys.path.insert(0, str(path.resolve().parent))  # as `python FILE` has it
    spec.loader.exec_module(loaded)
    return loaded
