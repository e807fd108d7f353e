"""All contenders on this machine, natively, in interleaved rounds.

Rounds are interleaved, and the order turns with each round, so that a machine that changes its speed changes it for
all. Everything runs on the same CPUs, as many as there are threads. A contender that fails is out, the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crosscut.peers import contenders, engines
from crosscut.peers.contenders import Contender, pinned
from crosscut.peers.engines import Case
from crosscut.peers.outcome import Outcome, check
from crosscut.peers.process import ContenderError

NAMES = ("crosscut", *engines.NAMES)
BATCH_SECONDS = 0.03
REPEATS = 5

Tell = Callable[[str], None]


def steps(rounds: int) -> int:
    """How often compare() calls `tell`."""
    return len(NAMES) + rounds


def compare(case: Case, rounds: int, tell: Tell) -> list[Outcome]:
    """One outcome a contender, Crosscut's first. Calls `tell` after each step."""
    engines.fix_shapes(case)
    outcomes = {name: Outcome(name) for name in NAMES}
    running: dict[str, Contender] = {}
    try:
        for name, outcome in outcomes.items():
            with caught(outcome):
                running[name] = _start(name, case, outcome)
            tell(f"{name}: {outcome.failure or 'ready, outputs are right'}")
        _rounds(case, rounds, outcomes, running, tell)
    except BaseException:
        for contender in running.values():
            contender.close(patience=0)
        raise
    for contender in running.values():
        contender.close()
    return list(outcomes.values())


@contextmanager
def caught(outcome: Outcome) -> Iterator[None]:
    try:
        yield
    except ContenderError as error:
        outcome.fail(error)


def _start(name: str, case: Case, outcome: Outcome) -> Contender:
    """Compiles on all CPUs; loads, runs and checks on the case's."""
    contender = contenders.start(name, case)
    try:
        outcome.version, outcome.shipped_bytes = contender.version, contender.shipped_bytes
        with pinned(case.threads):
            outcome.largest_error = check(case.model, case.sample, contender.outputs())
        outcome.peak_rss = contender.peak_rss
    except BaseException:
        contender.close(patience=0)
        raise
    return contender


def _rounds(case: Case, rounds: int, outcomes: dict[str, Outcome], running: dict[str, Contender], tell: Tell) -> None:
    names = list(running)
    with pinned(case.threads):
        for number in range(-1, rounds):  # round -1 warms up and does not count
            turn = max(number, 0) % max(len(names), 1)
            for name in names[turn:] + names[:turn]:
                if outcomes[name].failure:
                    continue
                with caught(outcomes[name]):
                    values = running[name].time(BATCH_SECONDS, REPEATS if number >= 0 else 1)
                    outcomes[name].cost += values if number >= 0 else []
            if number >= 0:
                tell(", ".join(f"{o.contender} {o.least * 1e3:.3f} ms" for o in outcomes.values() if o.ok))
