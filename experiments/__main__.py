"""What can be run here: `python -m experiments.NAME` each, `--help` for its flags."""

import ast
from pathlib import Path

HERE = Path(__file__).parent
GUARD = '\nif __name__ == "__main__":'  # of a file that is a program


def programs() -> dict[str, str]:
    """The first sentence of each that is a program, by name."""
    files = {path.parent.name: path.with_name("__init__.py") for path in HERE.glob("*/__main__.py")}
    files |= {path.stem: path for path in HERE.glob("[a-z]*.py") if GUARD in path.read_text()}
    texts = {name: ast.get_docstring(ast.parse(path.read_text())) or "" for name, path in sorted(files.items())}
    return {name: text.partition("\n")[0].removeprefix(f"{name}: ") for name, text in texts.items()}


def main() -> None:
    """Print them."""
    print("python -m experiments.NAME, with --help for the flags of each:\n")
    for name, says in programs().items():
        print(f"  {name:<17} {says}")


if __name__ == "__main__":
    main()
