"""What scripts/tune keeps, and what it writes."""

from __future__ import annotations

from crosscut import tune
from crosscut.tune import Facts, Measured


def by_cost(times: dict[tuple[str, float], float], sizes: dict[tuple[str, float], int] | None = None) -> tune.Measure:
    """A machine on which each fact multiplies the time."""

    def measure(sets: list[Facts]) -> list[Measured]:
        found = []
        for facts in sets:
            time, size = 1.0, 1000
            for fact in facts.items():
                time *= times.get(fact, 1.0)
                size = (sizes or {}).get(fact, size)
            found.append(Measured({"a": time, "b": 2 * time}, {"a": size, "b": 10}))
        return found

    return measure


def silent(_: str) -> None:
    pass


def test_the_fastest_value_of_each_fact_is_kept():
    times = {("x", 2.0): 0.9, ("x", 3.0): 0.8, ("y", 1.0): 1.1}
    assert tune.search(by_cost(times), silent, {"x": [1, 2, 3], "y": [1, 2]}) == {"x": 3}


def test_noise_is_no_improvement():
    assert tune.search(by_cost({("x", 2.0): 0.995}), silent, {"x": [1, 2]}) == {}


def test_equally_fast_and_smaller_is_better():
    assert tune.search(by_cost({}, {("x", 2.0): 900}), silent, {"x": [1, 2]}) == {"x": 2}
    assert tune.search(by_cost({("x", 2.0): 1.02}, {("x", 2.0): 900}), silent, {"x": [1, 2]}) == {}


def test_what_is_not_better_once_more_is_not_kept():
    calls = []

    def measure(sets: list[Facts]) -> list[Measured]:
        calls.append(len(sets))
        lucky = len(calls) == 1
        return [Measured({"a": 0.8 if facts and lucky else 1.0}, {"a": 1}) for facts in sets]

    assert tune.search(measure, silent, {"x": [1]}) == {}
    assert calls == [2, 2]


def test_a_cpus_lines_are_replaced_and_others_stay(tmp_path):
    path = tmp_path / "facts.inc"
    path.write_text('// Head.\nTUNED("x86_64", "znver4", "x", 1)\nTUNED("arm", "cortex-a7", "y", 2)\n')
    tune.write(path, "x86_64", "znver4", {"streamed-bytes": 4, "x": 0.25})
    assert path.read_text() == (
        '// Head.\nTUNED("arm", "cortex-a7", "y", 2)\nTUNED("x86_64", "znver4", "streamed-bytes", 4)\n'
        'TUNED("x86_64", "znver4", "x", 0.25)\n'
    )


def test_every_candidate_is_a_fact_of_the_compiler():
    known = (tune.TABLE.parent / "Facts.cpp").read_text()
    assert all(f'{{"{name}", ' in known for name in tune.CANDIDATES)
