"""Of each model, the page shows the latest comparison with other engines."""

from __future__ import annotations

import html
import re

import made_records as made
import pytest

from crosscut import page, store
from crosscut.page import peers

EMULATED = "aarch64-linux"


def _found(tmp_path, *records, models=()):
    with store.open_file(tmp_path / "index.sqlite") as index:
        index.update(made.write(tmp_path / "records", *records))
        return peers.comparisons(index, models)


def test_the_latest_of_each_case_counts_whatever_the_order_of_the_files(tmp_path):
    old = [
        made.compared("a", {"crosscut": 0.004, "iree 3.12": 0.010}),
        made.compared("b", {"crosscut": 0.001, "iree 3.12": 0.002}),
    ]
    new = [made.compared("a", {"crosscut": 0.004, "iree 3.13": 0.008, "ncnn 1": 0.006})]
    machine = {"architecture": "x86_64", "cpu": "Newer CPU", "cores": 1, "system": "Linux"}
    records = [made.comparison(5, sum(new, []), machine=machine), made.comparison(2, sum(old, []))]
    a, b = _found(tmp_path, *records).rows
    assert (a.version, b.version) == (made.commit_name(5), made.commit_name(2))
    assert a.machine.cpu == "Newer CPU" and b.machine.cpu == "Made-up CPU"
    assert a.best.engine == "ncnn" and a.ratio(a.best) == pytest.approx(1.5) and a.others["iree"].release == "3.13"
    assert b.best.engine == "iree" and b.ratio(b.best) == pytest.approx(2)


def test_threads_and_platforms_are_cases_of_their_own_in_the_order_of_the_matrix(tmp_path):
    costs = {"crosscut": 1.0, "iree 3": 2.0}
    rows = (
        made.compared("a", costs, platform=EMULATED) + made.compared("a", costs, threads=2) + made.compared("a", costs)
    )
    rows += made.compared("b", costs) + made.compared("elsewhere", costs)
    found = _found(tmp_path, made.comparison(0, rows), models=["b", "a"]).rows
    wanted = [("b", "1 thread"), ("a", "1 thread"), ("a", "2 threads"), ("a", EMULATED), ("elsewhere", "1 thread")]
    assert [(c.model, c.where) for c in found] == wanted


def test_what_was_compiled_for_an_older_cpu_stands_in_no_ones_place(tmp_path):
    usual, older = (made.compared("a", {"crosscut": cost, "iree 3": 2.0}) for cost in (1.0, 1.5))
    for row in older:
        row["setting"] = "x86-64-v3"
    (found,) = _found(tmp_path, made.comparison(0, usual), made.comparison(1, older)).rows
    assert found.ratio(found.others["iree"]) == pytest.approx(2)


def test_engines_stand_in_the_order_of_the_latest_record(tmp_path):
    first = made.comparison(0, made.compared("a", {"crosscut": 1.0, "old 1": 2.0, "iree 3": 2.0}))
    last = made.comparison(1, made.compared("b", {"crosscut": 1.0, "zeta 1": 2.0, "iree 3": 2.0}))
    assert _found(tmp_path, first, last).engines == ["zeta", "iree", "old"]


def test_without_a_value_there_is_no_ratio_but_a_reason(tmp_path):
    rows = made.compared("a", {"crosscut": 0.1, "iree 3": "failed to legalize", "ncnn 1": 0.3})
    rows += made.compared("b", {"crosscut": "refused", "ncnn 1": 0.3})
    found = _found(tmp_path, made.comparison(0, rows))
    a, b = found.rows
    assert a.best.engine == "ncnn" and a.ratio(a.others["iree"]) is None and a.others["iree"].text == "not compiled"
    assert b.best is None and b.own.text == "not compiled"
    assert [(c.model, r.engine, r.reason) for c, r in found.missing] == [
        ("a", "iree", "failed to legalize"), ("b", "crosscut", "refused"),
    ]  # fmt: skip


def test_a_comparison_without_crosscut_is_none(tmp_path):
    assert _found(tmp_path, made.comparison(0, made.compared("a", {"ncnn 1": 0.3}))).rows == []


def test_the_page_shows_them_after_the_matrix_and_only_where_there_are_any(tmp_path):
    night = made.history(1, ["a"], [made.NATIVE])
    text = page.write(made.write(tmp_path / "records", *night), tmp_path / "page").read_text()
    assert 'id="peers"' not in text
    made.write(
        tmp_path / "records",
        made.comparison(0, made.compared("a", {"crosscut": 0.01, "iree 3": 0.02, "ncnn 1": "<i>no"})),
    )
    text = page.write(tmp_path / "records", tmp_path / "page").read_text()
    section = text[text.index('<section id="peers">') :]
    assert text.index('id="matrix"') < text.index('id="peers"') and "<i>" not in section and "&lt;i&gt;no" in section
    cells = [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<td.*?</td>", section)]
    assert cells[:5] == ["a", "1 thread", "10.00 ms", "2.00 iree", "20.00 ms 2.00 · 3"]


def test_comparisons_alone_make_a_page(tmp_path):
    folder = made.write(
        tmp_path / "records", made.comparison(0, made.compared("a", {"crosscut": 0.01, "ncnn 1": 0.02}))
    )
    text = page.write(folder, tmp_path / "page").read_text()
    assert "No run has been recorded yet." in text and "2.00" in text[text.index('id="peers"') :]
