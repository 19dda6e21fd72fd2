"""Write ``docs/behaviours.md``: which behaviours of Kubernetes tests name, and why the others are not.

``python docs/behaviours.py`` after tests or ``behaviours.yaml`` changed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests"
_ID = re.compile(r"\b([A-Z]{1,2})(\d\d)\b(?:(?: to |-| \.\. )\1(\d\d)\b)?")
_HEAD = """\
# Behaviours

What Kubernetes 1.36 does, and where it is tested that the same happens here. Made by `python docs/behaviours.py` from the ids
that tests name; a test keeps it current. Levels: **A** through the API alone, **C** with the controllers, **R** with a
running container, **N** with traffic.

"""


def named() -> dict[str, set[str]]:
    """Return the test files (relative to ``tests/``) that name each id; a range ``DP02 to DP06`` names all in it."""
    found: dict[str, set[str]] = {}
    for path in sorted(TESTS.rglob("*.py")):
        where = path.relative_to(TESTS).as_posix()
        for letters, first, last in _ID.findall(path.read_text()):
            for number in range(int(first), int(last or first) + 1):
                found.setdefault(f"{letters}{number:02}", set()).add(where)
    return found


def groups() -> list[dict[str, Any]]:
    """Return the list of behaviours as it is written."""
    listed: list[dict[str, Any]] = yaml.safe_load((HERE / "behaviours.yaml").read_text())
    return listed


def reason(row: dict[str, Any]) -> str:
    """Return why a behaviour is not covered; those that need a container or traffic need not say more."""
    if "uncovered" in row:
        return str(row["uncovered"])
    level = str(row["level"])
    if "R" in level:
        return "it needs a running container, and no test names it yet"
    return "it needs traffic, and no test names it yet" if "N" in level else ""


def page() -> str:
    """Return the whole page."""
    tests = named()
    parts, covered, total = [], 0, 0
    for group in groups():
        rows = ["| id | level | behaviour | tests |", "|---|---|---|---|"]
        for row in group["rows"]:
            files = sorted(tests.get(row["id"], ()))
            total, covered = total + 1, covered + bool(files)
            shown = ", ".join(f"`{f}`" for f in files[:3]) + (" …" if len(files) > 3 else "")
            told = shown or f"none: {reason(row)}"
            rows.append(f"| {row['id']} | {row['level']} | {row['what']} | {told} |")
        parts.append(f"## {group['group']}\n\n" + "\n".join(rows) + "\n")
    return f"{_HEAD}{covered} of {total} are covered.\n\n" + "\n".join(parts)


if __name__ == "__main__":
    (HERE / "behaviours.md").write_text(page())
