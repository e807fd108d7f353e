"""Tables line up and numbers carry units."""

from __future__ import annotations

from crosscut import table


def test_columns_line_up():
    text = table.render(["model", "ms"], [["a", "1.5"], ["longer", "10.25"]], right=(1,))
    assert text.splitlines() == ["model      ms", "------  -----", "a         1.5", "longer  10.25"]


def test_markdown_escapes_bars():
    assert table.markdown(["a"], [["x|y"]]).splitlines()[-1] == "| x\\|y |"


def test_numbers_carry_units():
    assert [table.size(v) for v in (None, 12, 1234, 14_000_000)] == ["-", "12 B", "1.2 KB", "14.0 MB"]
    assert table.milliseconds(0.0061234) == "6.123 ms"
    assert table.instructions(101_900_000) == "101.90 M"
