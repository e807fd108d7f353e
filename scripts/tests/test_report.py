"""The closing tables say at a glance what is broken, and what a model needs."""

from __future__ import annotations

from crosscut import records, report


def _row(platform="x86_64-linux", status="pass", setting="default", answer=None, **metrics):
    row = {"model": "m", "platform": platform, "setting": setting, "status": status, "reproduce": "scripts/nightly"}
    row["metrics"] = [records.metric(name, "bytes", values, exact=True) for name, values in metrics.items()]
    row["checks"] = [{"sample": "s", "ok": True, **({"answer": answer} if answer else {})}]
    if status == "fail":
        row.update(phase="run", reason="ended by SIGILL", commands={"compile": "c", "run": "qemu-x m.xcm"})
    return row


def test_platforms_stand_side_by_side_and_settings_one_below_the_other():
    rows = [
        _row(time=[0.005, 0.004]),
        _row("aarch64-linux", instructions=[107015842]),
        _row(setting="threads2", time=[0.0025]),
        _row("armv7-linux", "fail"),
    ]
    lines = report.platforms_table(rows).splitlines()
    assert lines[0].split() == ["x86_64", "aarch64", "armv7"]
    assert lines[2].split() == ["m", "ok", "4", "ms", "ok", "107", "M", "FAIL", "run"]
    assert lines[3].split() == ["m", "threads2", "ok", "2.5", "ms"]


def test_small_costs_have_small_units():
    assert report.cost(_row(time=[31.6e-6])) == "31.6 us"
    assert report.cost(_row(instructions=[77_800])) == "77.8 k"


def test_a_failure_has_its_reason_and_two_commands():
    text = report.text([_row("armv7-linux", "fail")])
    assert "FAIL m on armv7-linux, run: ended by SIGILL\n  scripts/nightly\n  qemu-x m.xcm" in text


def test_memory_and_compile_time_above_their_limits_are_marked():
    fits = {"weight_bytes": [10e6], "arena_bytes": [2e6], "peak_rss": [17e6], "compile_time": [3.0, 2.0]}
    line = report.needs_table([_row(**fits)]).splitlines()[-1]
    assert "17.0 MB" in line and "18.0 MB" in line and "2.00 s" in line and "!" not in line
    above = report.needs_table([_row(**{**fits, "peak_rss": [19e6], "compile_time": [11.0]})]).splitlines()[-1]
    assert "19.0 MB !" in above and "11.00 s !" in above


def test_sizes_are_spans_over_the_platforms_and_time_the_longest():
    one = _row(code_bytes=[43600], compile_time=[1.0])
    two = _row("aarch64-linux", code_bytes=[60200], compile_time=[2.5])
    line = report.needs_table([one, two]).splitlines()[-1]
    assert "43.6-60.2 KB" in line and "2.50 s" in line


def test_boards_have_a_line_each_with_settings_side_by_side():
    sizes = {"ram_bytes": [12192], "flash_bytes": [50624]}
    rows = [
        _row("cortex-m4-mps2", instructions=[501_941], program_bytes=[6040], **sizes),
        _row("cortex-m0-microbit", "fail"),
        _row("cortex-m4-mps2", setting="static", instructions=[501_021], program_bytes=[1671]),
    ]
    lines = report.boards_table(rows).splitlines()
    assert lines[0].split() == ["default", "static", "code", "weights", "arena", "RAM", "flash", "program"]
    assert " ".join(lines[2].split()) == "m cortex-m4-mps2 ok 502 k ok 501 k - - - 12.2 KB 50.6 KB 6040 / 1671 B"
    assert " ".join(lines[3].split()) == "m cortex-m0-microbit FAIL run - - - - - -"


def test_boards_stand_below_the_other_platforms_and_not_among_them():
    text = report.text([_row(time=[0.004]), _row("cortex-m4-mps2", instructions=[501_941])])
    first, second = text.split("\n\n")[0], text.split("\n\n")[2]
    assert "x86_64" in first and "cortex" not in first and "cortex-m4-mps2" in second
    assert "compile: longest" not in report.text([_row("cortex-m4-mps2", instructions=[501_941])])


def test_answers_that_differ_between_platforms_are_said():
    assert "upright" in report.needs_table([_row(answer="upright"), _row("armv7-linux", answer="upright")])
    assert "differ" in report.needs_table([_row(answer="upright"), _row("armv7-linux", answer="turned")])


def test_a_platform_may_run_a_part_of_the_samples():
    both = _row(answer="upright")
    both["checks"].append({"sample": "another", "ok": True, "answer": "turned"})
    assert "upright; turned" in report.needs_table([both, _row("armv7-linux", answer="upright")])
