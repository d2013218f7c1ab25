"""Judges what a suite found by the list of its known errors in docs/interop.md."""

import pathlib
import re
from collections import Counter
from typing import Iterable, NamedTuple

DOCUMENT = pathlib.Path(__file__).parent.parent / "docs" / "interop.md"
ROW = re.compile(r"\| `([^`]+)` \| `([^`]+)` \| .*RFC \d{4} §.* \|")


class Found(NamedTuple):
    """What a suite says of one of its expectations."""

    name: str
    passed: bool
    reason: str


def known(suite: str) -> dict[str, str]:
    """The expectations under the heading of a suite that are excluded, each
    with a part of what the suite has to say about it."""
    rows: dict[str, str] = {}
    heading = None
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif heading == suite and line.startswith("| `"):
            row = ROW.fullmatch(line)
            if row is None or row[1] in rows:
                raise SystemExit(f"{DOCUMENT.name}: not a row of name, message and section, or a second one: {line}")
            rows[row[1]] = row[2]
    return rows


def judge(suite: str, title: str, results: Iterable[Found]) -> int:
    """Prints the counts and what is wrong, and returns the exit code."""
    excluded = known(suite)
    passed, excused, wrong = 0, Counter(), []
    for name, ok, reason in results:
        if ok:
            passed += 1
        elif name in excluded and excluded[name] in reason:
            excused[name] += 1
        else:
            wrong.append(f"{name}: {reason}")
    wrong += [f"{name}: is excluded, but did not fail so" for name in excluded if not excused[name]]
    print(title)
    for line in wrong:
        print("failed:", line)
    if excused:
        print(f"{excused.total()} more excluded by name, see docs/interop.md")
    print(f"{passed} passed, {len(wrong)} failed", flush=True)
    return 1 if wrong or not passed else 0
