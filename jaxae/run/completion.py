"""Shell completion of `python -m jaxae` and `python -m experiments.NAME`: one script, for bash and zsh.

All words are in the script, so that a key press starts no Python.
"""

import argparse
import dataclasses
import importlib
import itertools
import pkgutil
import re
import types
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from jaxae.data import PREPARABLE
from jaxae.errors import UsageError
from jaxae.run import flags
from jaxae.run.experiment import find_experiment

FLAG = re.compile(r"(?<![\w-])(--?[a-z][a-z-]*)(?: \{([\w,]+)\})?")  # of a help text, and its choices
SCRIPT = r"""# Completes `python -m jaxae` and `python -m experiments.NAME` in bash and zsh; made by
# python -m jaxae completion
if [ -n "${ZSH_VERSION:-}" ]; then
  autoload -U +X compinit bashcompinit && compinit && bashcompinit
fi

_jaxae_words() {  # the words that may follow these
  case "$1" in
CASES
  esac
}

_jaxae() {
  local current="${COMP_WORDS[COMP_CWORD]}" path="-m" last="" words="" at word
  COMPREPLY=()
  [ "${COMP_WORDS[1]}" = "-m" ] || return 0
  if [ "$COMP_CWORD" -gt 2 ]; then
    path="${COMP_WORDS[2]}"
    for ((at = 3; at < COMP_CWORD; at++)); do
      word="${COMP_WORDS[at]}"
      case "$word" in
        -*) last="$word" ;;
        *) if [ -z "$last" ] && [ -n "$(_jaxae_words "$path $word")" ]; then path="$path $word"; fi ;;
      esac
    done
  fi
  case "$current" in
    -*) words="$(_jaxae_words "$path")" ;;
    *) words="$(_jaxae_words "$path${last:+ $last}")" ;;
  esac
  if [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}

complete -o default -o bashdefault -F _jaxae python python3
"""


def script(commands: Sequence[argparse.ArgumentParser]) -> str:
    """The script, for these commands of `python -m jaxae` and every experiment that is at hand."""
    words = {**_of_tool(commands), **dict(_of_experiments())}
    words["-m"] = [path for path in words if path == "jaxae" or re.fullmatch(r"experiments\.\w+", path)]
    cases = [f"    '{path}') echo '{' '.join(of)}' ;;" for path, of in words.items() if of]
    return SCRIPT.replace("CASES", "\n".join(cases))


def _of_tool(commands: Sequence[argparse.ArgumentParser]) -> dict[str, list[str]]:
    """{words so far: words that may follow} of `python -m jaxae`."""
    found: dict[str, list[str]] = {}
    for command in commands:
        path = command.prog.removeprefix("python -m ")
        *above, _ = path.split()
        for deep in range(1, len(above) + 1):
            known = found.setdefault(" ".join(above[:deep]), [])
            known += [word for word in [path.split()[deep]] if word not in known]
        flagged = dict(FLAG.findall(command.format_help()))
        found[path] = [name for name in flagged if name.startswith("--")]
        found |= {f"{path} {name}": choices.split(",") for name, choices in flagged.items() if choices}
    found["jaxae data prepare"] = [*PREPARABLE, *found["jaxae data prepare"]]
    return found


def _of_experiments() -> Iterator[tuple[str, list[str]]]:
    """The flags of each experiment, and the choices of each flag that has some."""
    try:
        package: Any = importlib.import_module("experiments")
    except ImportError:  # jaxae is installed without
        return
    for module in pkgutil.iter_modules(package.__path__, "experiments."):
        try:
            config = find_experiment(module.name).config
        except UsageError:  # none of its own
            continue
        hints = get_type_hints(config)
        fields = {_flag(field): field for field in dataclasses.fields(config)}
        yield module.name, [*fields, *itertools.chain(*flags.ALIASES.values()), "--help"]
        for name, field in fields.items():
            if choices := _choices(hints[field.name], field.default):
                yield f"{module.name} {name}", choices


def _flag(field: Any) -> str:
    name = flags.flag(field.name)
    return name.replace("--", "--no-", 1) if field.default is True else name


def _choices(hint: Any, default: Any) -> list[str]:
    """What a flag may be: the values of a Literal, wherever in the type it stands, and the names of a default list."""
    if get_origin(hint) is Literal:
        return [str(value) for value in get_args(hint)]
    if get_origin(hint) in (tuple, Union, types.UnionType):
        found = [value for part in get_args(hint) if part is not Ellipsis for value in _choices(part, None)]
        return found or [value for value in default or () if isinstance(default, tuple) and isinstance(value, str)]
    return []
