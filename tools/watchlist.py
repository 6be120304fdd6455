"""The watch-list of the house style: prints its figures, and fails on what must not be."""

import ast
import sys
from pathlib import Path

SOURCES = Path("src/penstock")
TESTS = Path("tests")
LONG_FILE, FAILING_FILE, LONG_FUNCTION = 500, 800, 45


def main() -> int:
    """Print the watch-list; 1 when a file is far too long or an import hides inside a function."""
    files = [path for path in sorted(SOURCES.rglob("*.py")) if "migrations" not in path.parts]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    long_functions, hidden_imports = [], []
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > LONG_FUNCTION:
                long_functions.append(f"{path}:{node.lineno} {node.name} ({size} lines)")
            hidden_imports += [f"{path}:{inner.lineno}" for inner in ast.walk(node) if _is_first_party_import(inner)]
    nouns = [path for path in files if path.name != "__init__.py"]
    tested = [path for path in nouns if (TESTS / path.relative_to(SOURCES).parent / f"test_{path.name}").exists()]
    _print("files over 500 lines", [f"{path} ({length})" for path, length in lengths.items() if length > LONG_FILE])
    _print("functions over 45 lines", long_functions)
    _print("first-party imports inside functions", hidden_imports)
    print(f"source files with a test of the same name: {len(tested)} of {len(nouns)} ({len(tested) / len(nouns):.0%})")
    return int(bool(hidden_imports) or any(length > FAILING_FILE for length in lengths.values()))


def _is_first_party_import(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").startswith("penstock")
    return isinstance(node, ast.Import) and any(name.name.startswith("penstock") for name in node.names)


def _print(what: str, found: list[str]) -> None:
    print(f"{what}: {len(found)}")
    for line in found:
        print(f"  {line}")


if __name__ == "__main__":
    sys.exit(main())
