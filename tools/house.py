"""House rules that no linter knows: file sizes, file names, addresses of machines. Exit code 1 with one line per finding."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

LONGEST = 400
MEDIAN = 200
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], capture_output=True, text=True, check=True
    )
    return [path for line in listed.stdout.splitlines() if (path := Path(line)).is_file()]


def sizes(code: dict[Path, int]) -> Iterator[str]:
    for path, lines in code.items():
        if lines > LONGEST:
            yield f"{path}: {lines} lines; split it by ideas, {LONGEST} is the limit"
        if path.stem in FORBIDDEN_NAMES:
            yield f"{path}: a name that says nothing; name the idea"
    if code and median(code.values()) > MEDIAN:
        yield f"median file has {median(code.values()):.0f} lines; {MEDIAN} is the limit"


def machines() -> Iterator[str]:
    """Paths of one machine have no place in a project that strangers run."""
    private = re.compile(r"(?<![\w.])/(?:work|root)/\w|\.\./\.library")
    for path in tracked():
        if path.suffix in {".py", ".md", ".toml", ".sql", ".sh", ""} and path.name not in {"LICENSE", "house.py"}:
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if private.search(line):
                    yield f"{path}:{number}: names a path of one machine"


def main() -> int:
    code = {path: len(path.read_text().splitlines()) for path in tracked("src/*.py", "hospital/*.py") if "test_" not in path.name}
    findings = [*sizes(code), *machines()]
    for finding in findings:
        print(finding)
    print(f"{len(code)} files, median {median(code.values()):.0f} lines, longest {max(code.values())}")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
