"""`python -m benchmarks NAME [--out FILE …]`: run one benchmark, or list them."""

import runpy
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> int:
    """Run the benchmark that the first argument names."""
    modules = sorted(path.stem for path in FOLDER.glob("*.py"))
    names = [name for name in modules if f"make bench BENCH={name} " in _text(name)]
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        sys.stderr.write(f"error: name one of {', '.join(names)}: make bench BENCH=name\n")
        return 2
    name = sys.argv.pop(1)
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    return 0


def _text(name: str) -> str:
    return (FOLDER / f"{name}.py").read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
