"""What the page says of a history: better, worse or the same by the rule of changes.py, versions, the sentence."""

from __future__ import annotations

import made_records as made
import pytest

from crosscut import store
from crosscut.page import metrics, view
from crosscut.page.answer import answer
from crosscut.page.changes import Kind, changes
from crosscut.page.history import History

NATIVE, EMULATED = made.NATIVE, "aarch64-linux"


def _overview(tmp_path, records):
    """The page's content, worked out of these records."""
    folder = made.write(tmp_path / "records", *records)
    with store.open_file(tmp_path / "index.sqlite") as index:
        index.update(folder)
        history = History(index)
        content = view.overview(history, index.refusals())
        for cell, points in history.cells():
            names = {name for point in points for name in point.metrics}
            view.add(content, cell, points, {name: changes(points, name) for name in names})
    view.finish(content)
    return content


def _one_cell(tmp_path, platform, *alter, runs=None):
    """The head's value of a cell's cost; alter[i](row) changes the row of commit i, runs[i] changes its record."""
    records = []
    for number, change in enumerate(alter):
        row = made.row("m", platform, build=number)
        records.append(made.record(number, [change(row) or row], **(runs or {}).get(number, {})))
    (cell,) = _overview(tmp_path, records).cells
    return cell.value(metrics.COST)


def _cost(factor):
    return lambda row: made.scaled(row, "time" if row["platform"] == NATIVE else "instructions", factor)


def _as_it_is(row):
    return row


# ---- the rule --------------------------------------------------------------------------------------------------------


def test_one_instruction_more_is_worse_and_one_less_is_better(tmp_path):
    def add(count):
        def change(row):
            row["metrics"][0]["samples"][0] += count
            return row

        return change

    assert _one_cell(tmp_path / "a", EMULATED, _as_it_is, add(1)).change.kind is Kind.WORSE
    assert _one_cell(tmp_path / "b", EMULATED, _as_it_is, add(-1)).change.kind is Kind.BETTER
    assert _one_cell(tmp_path / "c", EMULATED, _as_it_is, add(0)).change.kind is Kind.SAME


@pytest.mark.parametrize(
    "factor, kind",
    [(1.3, Kind.WORSE), (1.051, Kind.WORSE), (1.049, Kind.SAME), (0.951, Kind.SAME), (0.949, Kind.BETTER)],
)
def test_a_time_has_changed_beyond_five_percent(tmp_path, factor, kind):
    value = _one_cell(tmp_path, NATIVE, _as_it_is, _as_it_is, _cost(factor))
    assert value.change.kind is kind
    assert value.change.ratio == pytest.approx(factor)


def test_a_time_within_its_own_spread_is_the_same(tmp_path):
    def noisy(row):
        samples = row["metrics"][0]["samples"]
        row["metrics"][0]["samples"] = [samples[0] * 1.2 * factor for factor in (1, 1.2, 1.25, 1.3, 1.35, 1.4)]
        return row

    assert _one_cell(tmp_path, NATIVE, _as_it_is, noisy).change.kind is Kind.SAME


def test_a_time_within_the_steps_between_earlier_runs_is_the_same(tmp_path):
    shaky = [_cost(1.0 + 0.15 * (number % 2)) for number in range(12)]
    assert _one_cell(tmp_path / "a", NATIVE, *shaky, _cost(1.3)).change.kind is Kind.SAME
    assert _one_cell(tmp_path / "b", NATIVE, *shaky, _cost(3.0)).change.kind is Kind.WORSE


def test_the_way_back_from_an_outlier_is_no_improvement(tmp_path):
    steady = [_as_it_is] * 6
    assert _one_cell(tmp_path, NATIVE, *steady, _cost(1.4), _as_it_is).change.kind is Kind.SAME


def test_few_samples_need_a_larger_step(tmp_path):
    def compile_time(factor):
        content = _overview(
            tmp_path / str(factor),
            [
                made.record(0, [made.row("m", EMULATED)]),
                made.record(1, [made.scaled(made.row("m", EMULATED, build=1), "compile_time", factor)]),
            ],
        )
        return content.cells[0].values["compile_time"].change.kind

    assert [compile_time(f) for f in (1.2, 1.3, 0.7)] == [Kind.SAME, Kind.WORSE, Kind.BETTER]


def test_the_same_module_at_another_speed_is_an_event_of_the_machine(tmp_path):
    def same_module(row):
        row["module_sha256"] = made.row("m", NATIVE, build=0)["module_sha256"]
        return _cost(1.5)(row)

    change = _one_cell(tmp_path, NATIVE, _as_it_is, same_module).change
    assert change.kind is Kind.OTHER
    assert "same module" in change.why


def test_a_time_is_compared_with_the_same_machines(tmp_path):
    other = {"machine": {**made.record(0, [])["machine"], "cpu": "Another CPU"}}
    change = _one_cell(tmp_path / "a", NATIVE, _as_it_is, _cost(2), runs={1: other}).change
    assert (change.kind, change.why) == (Kind.OTHER, "first time on this machine")
    value = _one_cell(tmp_path / "b", NATIVE, _as_it_is, _cost(2), _cost(1.5), runs={1: other})
    assert value.change.kind is Kind.WORSE
    assert value.change.before.run.version == 0


def test_instructions_are_compared_across_machines(tmp_path):
    other = {"machine": {**made.record(0, [])["machine"], "cpu": "Another CPU"}}
    assert _one_cell(tmp_path, EMULATED, _as_it_is, _cost(2), runs={1: other}).change.kind is Kind.WORSE


@pytest.mark.parametrize(
    "field, value, why",
    [
        ("target", {"triple": "t", "cpu": "another", "features": ""}, "another CPU"),
        ("model_sha256", made.sha("another"), "another model"),
    ],
)
@pytest.mark.parametrize("platform", [NATIVE, EMULATED])
def test_what_else_explains_a_change_is_said(tmp_path, platform, field, value, why):
    change = _one_cell(tmp_path, platform, _as_it_is, lambda row: {**_cost(1.5)(row), field: value}).change
    assert change.kind is Kind.OTHER
    assert why in change.why


def test_the_same_module_under_another_emulator_is_not_the_commits(tmp_path):
    def emulator(row):
        row["module_sha256"] = made.row("m", EMULATED, build=0)["module_sha256"]
        return {**_cost(1.01)(row), "emulator": "qemu 99"}

    assert "emulator" in _one_cell(tmp_path, EMULATED, _as_it_is, emulator).change.why


def test_zero_has_no_ratio_and_is_compared_all_the_same(tmp_path):
    records = [
        made.record(n, [made.row("m", EMULATED, metrics=[made.metric("arena_bytes", "bytes", size, exact=True)])])
        for n, size in enumerate((0, 8))
    ]
    (cell,) = _overview(tmp_path, records).cells
    assert cell.values["arena_bytes"].change.kind is Kind.WORSE
    assert metrics.percent(cell.values["arena_bytes"].change.ratio) == "from 0"


# ---- versions and cells ----------------------------------------------------------------------------------------------


def test_runs_of_one_commit_count_together(tmp_path):
    first, again = made.record(1, [made.row("m", EMULATED)]), made.record(1, [made.row("m", EMULATED, cost=2)])
    again["started"] = made.day(1, hour=9)
    content = _overview(tmp_path, [made.record(0, [made.row("m", EMULATED)]), first, again])
    assert len(content.versions) == 2
    (cell,) = content.cells
    assert cell.latest.run.started == made.day(1, hour=9)
    assert cell.value(metrics.COST).change.before.run.version == 0


def test_a_modified_tree_is_a_version_of_its_own(tmp_path):
    records = [made.record(0, [made.row("m", EMULATED)]), made.record(0, [made.row("m", EMULATED, cost=1.5)])]
    records[1]["source"]["modified"] = True
    content = _overview(tmp_path, records)
    assert [version.name for version in content.versions] == [made.commit_name(0), made.commit_name(0) + "+"]
    assert content.cells[0].value(metrics.COST).change.kind is Kind.WORSE


def test_measuring_an_old_commit_again_changes_the_past_alone(tmp_path):
    records = made.history(3, ["m"], [EMULATED])
    old = made.record(0, [made.row("m", EMULATED, cost=3)], started=made.day(9))
    content = _overview(tmp_path, [*records, old])
    assert content.head.name == made.commit_name(2)
    assert content.cells[0].value(metrics.COST).change.kind is Kind.SAME


def test_an_old_commit_that_was_never_measured_goes_into_the_past(tmp_path):
    records = made.history(3, ["m"], [EMULATED])
    records[1]["started"] = made.day(9)
    assert [v.name for v in _overview(tmp_path, records).versions] == [made.commit_name(n) for n in range(3)]


def test_records_without_commit_times_are_in_the_order_of_their_runs(tmp_path):
    records = made.history(3, ["m"], [EMULATED])
    for record in records:
        del record["source"]["committed"]
    assert [v.name for v in _overview(tmp_path, records).versions] == [made.commit_name(n) for n in range(3)]


def test_a_run_outside_a_repository_is_a_version(tmp_path):
    record = made.record(0, [made.row("m", EMULATED)], source={"commit": None, "modified": False})
    assert [version.name for version in _overview(tmp_path, [record]).versions] == ["no commit"]


def test_models_and_platforms_are_in_the_order_of_the_latest_run(tmp_path):
    models, platforms = ["z", "a", "k"], ["riscv64-linux", "aarch64-linux"]
    content = _overview(tmp_path, made.history(2, models, platforms))
    assert [cell.model for cell, _ in content.rows] == models
    assert content.platforms == platforms


def test_settings_of_a_model_are_lines_of_their_own(tmp_path):
    rows = [
        made.row("m", NATIVE),
        made.row("m", NATIVE, threads=2, device="local-task"),
        made.row("m", NATIVE, setting="opt1"),
    ]
    content = _overview(tmp_path, [made.record(0, rows)])
    assert [(cell.model, cell.details) for cell, _ in content.rows] == [
        ("m", []),
        ("m", ["local-task", "2 threads"]),
        ("m", ["opt1"]),
    ]
    assert len({cell.id for cell in content.cells}) == 3


def test_a_failure_says_since_when_and_when_it_passed_last(tmp_path):
    def change(number, row):
        return made.failing("m", EMULATED, "wrong") if number in (1, 3, 4) else row

    (cell,) = _overview(tmp_path, made.history(5, ["m"], [EMULATED], change)).broken
    assert (cell.since.number, cell.passed.number, cell.newly_broken) == (3, 2, False)
    assert cell.reproduce == f"scripts/nightly --quick --model m --platform {EMULATED}"


def test_a_cell_leaves_when_its_whole_selection_ran_without_it(tmp_path):
    def until(last):
        return lambda number, row: row if row["model"] != "old" or number <= last else None

    records = made.history(5, ["m", "old"], [EMULATED], until(1))
    assert [cell.cell.model for cell in _overview(tmp_path / "whole", records).gone] == ["old"]
    for record in records[2:]:
        record["selection"] = {**record["selection"], "models": ["m"]}
    content = _overview(tmp_path / "part", records)
    assert [(cell.cell.model, cell.at_head) for cell in content.cells] == [("m", True), ("old", False)]
    for record in records[2:]:
        record["selection"] = {**record["selection"], "models": None, "name": "quick"}
    assert len(_overview(tmp_path / "quick", records).cells) == 2
    for record in records:
        del record["selection"]
    assert len(_overview(tmp_path / "unknown", records).cells) == 2


# ---- the sentence ----------------------------------------------------------------------------------------------------


def _sentence(tmp_path, *records):
    found = answer(_overview(tmp_path, records))
    return found.state, found.text


def _run(number, *rows):
    return made.record(number, list(rows))


def test_the_sentence_without_records(tmp_path):
    assert _sentence(tmp_path) == ("empty", "No run has been recorded yet.")


def test_the_sentence_of_the_first_run(tmp_path):
    run = _run(0, made.row("a", NATIVE), made.row("b", NATIVE))
    text = "All 2 cells pass; there is no earlier commit to compare with."
    assert _sentence(tmp_path, run) == ("good", text)


def test_the_sentence_when_all_is_well(tmp_path):
    runs = made.history(2, ["a", "b"], [EMULATED])
    text = f"All 2 cells pass, and none is slower or larger than at {made.commit_name(0)}."
    assert _sentence(tmp_path, *runs) == ("good", text)


def test_the_sentence_when_something_is_slower_larger_and_faster(tmp_path):
    def row(model, name, factor):
        return made.scaled(made.row(model, EMULATED, build=1), name, factor)

    before = _run(0, *(made.row(model, EMULATED) for model in "abcd"))
    now = _run(
        1,
        row("a", "instructions", 1.1),
        made.scaled(row("b", "instructions", 1.2), "code_bytes", 1.1),
        row("c", "compile_time", 2),
        row("d", "instructions", 0.9),
    )
    assert _sentence(tmp_path, before, now) == (
        "worse",
        f"All 4 cells pass; 2 are slower, 1 larger and 1 slower to compile than at {made.commit_name(0)}; 1 is faster.",
    )


def test_the_sentence_when_cells_fail_pass_again_and_are_missing(tmp_path):
    fails = made.failing("old", NATIVE)
    before = _run(0, made.row("a", NATIVE), fails, made.failing("fixed", NATIVE), made.row("absent", NATIVE))
    now = _run(1, made.failing("a", NATIVE), fails, made.row("fixed", NATIVE))
    now["selection"] = {**now["selection"], "models": ["a", "old", "fixed"]}
    assert _sentence(tmp_path, before, now) == (
        "broken",
        f"2 of 3 cells fail (1 of them new); none is slower or larger than at {made.commit_name(0)}; "
        "1 passes again; 1 cell of the matrix was not run.",
    )
