"""The sentence at the top of the page: is anything broken or slower?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crosscut.page.changes import Kind
from crosscut.page.view import Overview, words


@dataclass(frozen=True)
class Answer:
    """`state` is good, worse, broken or empty; parts are texts with the section that each links to, or None."""

    state: str
    parts: list[tuple[str, str | None]]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.parts)


def answer(page: Overview) -> Answer:
    if page.head is None:
        return Answer("empty", [("No run has been recorded yet.", None)])
    tally = page.tallies[-1]
    parts: list[tuple[str, str | None]] = []
    total = tally.passing + tally.failing
    if tally.failing:
        parts.append(
            (f"{tally.failing} of {count(total, 'cell')} {'fails' if tally.failing == 1 else 'fail'}", "broken")
        )
        new = sum(view.at_head and view.newly_broken for view in page.broken)
        if new:
            parts.append((f" ({new} of them new)" if new < tally.failing else " (new)", None))
    else:
        parts.append((f"All {total} cells pass" if total != 1 else "The one cell passes", None))
    parts += _compared(page) if page.previous else [("; there is no earlier commit to compare with", None)]
    fixed = len(page.fixed)
    if fixed:
        parts += [("; ", None), (f"{fixed} {'passes' if fixed == 1 else 'pass'} again", "better")]
    absent = len(page.cells) - len(page.at_head)
    if absent:
        parts.append((f"; {count(absent, 'cell')} of the matrix {'was' if absent == 1 else 'were'} not run", None))
    parts.append((".", None))
    state = "broken" if tally.failing else "worse" if tally.worse else "good"
    return Answer(state, parts)


def _compared(page: Overview) -> list[tuple[str, str | None]]:
    tally = page.tallies[-1]
    than = f" than at {_baseline(page)}"
    parts: list[tuple[str, str | None]] = []
    if tally.worse:
        parts += [("; ", None), (listed(words(tally.worse), "is", "are"), "worse"), (than, None)]
    else:
        parts.append(("; none" if tally.failing else ", and none", None))
        parts.append((f" is slower or larger{than}", None))
    if tally.better:
        parts += [("; ", None), (listed(words(tally.better), "is", "are"), "better")]
    return parts


def _baseline(page: Overview) -> str:
    """The version that changes were found against; cells may have skipped the previous one."""
    found = {
        value.change.before.run.version
        for view in page.at_head
        for value in view.values.values()
        if value.change.before is not None and value.change.kind is not Kind.FIRST
    }
    if len(found) > 1:
        return "the commit before"
    return page.versions[found.pop()].name if found else page.versions[-2].name


def listed(counts: Iterable[tuple[str, int]], one: str, many: str) -> str:
    """2 are slower, 1 larger and 3 slower to compile"""
    texts = [f"{number} {word}" for word, number in counts]
    first, _, rest = texts[0].partition(" ")
    texts[0] = f"{first} {one if first == '1' else many} {rest}"
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + f" and {texts[-1]}"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
