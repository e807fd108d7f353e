"""The index holds each record once, is made from the files alone, and refuses by name what is no record."""

from __future__ import annotations

import json
import sqlite3

import made_records as made
import pytest

from crosscut import record_reader, store

CELLS = [("m", "x86_64-linux"), ("m", "aarch64-linux")]


def _record(number=0, **changes):
    return made.record(number, [made.row(*cell, build=number) for cell in CELLS], **changes)


def _index(tmp_path):
    return store.open_file(tmp_path / "index.sqlite")


def _rows(index):
    return [(row.model, row.platform, row.status) for row, _ in index.results("nightly")]


def test_a_record_is_indexed_once_whatever_its_file_is_called(tmp_path):
    folder = made.write(tmp_path / "records", _record())
    with _index(tmp_path) as index:
        assert index.update(folder).added == 1
        (folder / "copy.json").write_text(json.dumps(_record(), indent=3, sort_keys=True))
        again = index.update(folder)
        assert (again.added, again.known) == (0, 2)
        assert len(index.runs("nightly")) == 1
        assert len(_rows(index)) == 2


def test_rows_come_back_with_their_raw_samples(tmp_path):
    record = _record()
    folder = made.write(tmp_path / "records", record)
    with _index(tmp_path) as index:
        index.update(folder)
        found = {row.platform: metrics for row, metrics in index.results("nightly")}
    for row in record["rows"]:
        wanted = {m["name"]: (m["unit"], m["exact"], m["better"], m["samples"]) for m in row["metrics"]}
        metrics = found[row["platform"]]
        assert {name: (m.unit, m.exact, m.better, m.samples) for name, m in metrics.items()} == wanted


def test_runs_come_in_the_order_of_their_start_not_of_their_files(tmp_path):
    with _index(tmp_path) as index:
        for number in (5, 1, 3):
            index.update(made.write(tmp_path / "records", _record(number)))
        assert [row.started for row in index.runs("nightly")] == [made.day(1), made.day(3), made.day(5)]


def test_other_kinds_of_record_are_kept_apart(tmp_path):
    folder = made.write(tmp_path / "records", _record(), _record(1, kind="conformance"))
    with _index(tmp_path) as index:
        assert index.update(folder).added == 2
        assert len(index.runs("nightly")) == len(index.runs("conformance")) == 1


def _with(**changes):
    """A good record with one row changed."""
    record = _record()
    record["rows"][0].update(changes)
    return json.dumps(record)


HOSTILE = {
    "empty": ("", "not JSON"),
    "not_json": ("{'a': 1}", "not JSON"),
    "not_text": (b"\xff\xfe\x00{}", "not JSON"),
    "a_list": ("[]", "no object"),
    "no_version": ("{}", "no schema version"),
    "version_is_true": ('{"schema": true}', "no schema version"),
    "of_the_future": (json.dumps({**_record(), "schema": 99}), "version 99"),
    "of_the_past": (json.dumps({**_record(), "schema": 0}), "version 0"),
    "wrong_version_1": ('{"schema": 1, "rows": 7}', "does not match version 1"),
    "wrong_module_of_version_1": ('{"schema": 1, "rows": [{"module": [1]}]}', "does not match version 1"),
    "nested": ("[" * 200_000, "nested too deeply"),
    "nan": (json.dumps(_record()).replace('"samples": [', '"samples": [NaN, ', 1), "NaN"),
    "infinity": (json.dumps(_record()).replace('"samples": [', '"samples": [-Infinity, ', 1), "Infinity"),
    "huge_float": (json.dumps(_record()).replace('"samples": [', '"samples": [1e999, ', 1), "out of range"),
    "huge_integer": (json.dumps(_record()).replace('"samples": [', f'"samples": [{"9" * 5000}, ', 1), "out of range"),
    "beyond_exact": (json.dumps(_record()).replace('"samples": [', f'"samples": [{2**53 + 1}, ', 1), "out of range"),
    "negative": (json.dumps(_record()).replace('"samples": [', '"samples": [-1, ', 1), "negative"),
    "text_for_number": (json.dumps(_record()).replace('"samples": [', '"samples": ["1", ', 1), "samples"),
    "no_rows": (json.dumps({key: value for key, value in _record().items() if key != "rows"}), "rows"),
    "unknown_field": (json.dumps({**_record(), "surprise": 1}), "surprise"),
    "html_model": (_with(model="<img src=x onerror=alert(1)>"), "rows/0/model: not a plain name"),
    "html_platform": (_with(platform="x'\"&"), "rows/0/platform"),
    "html_setting": (_with(setting="a<b"), "rows/0/setting"),
    "html_metric": (_with(metrics=[made.metric("<b>", "bytes", 1, exact=True)]), "metrics/name"),
    "line_end_in_a_name": (_with(model="a\nb"), "not a plain name"),
    "long_name": (_with(model="a" * 201), "not a plain name"),
    "nul": (_with(reason="a\0b"), "NUL"),
    "half_a_character": (_with(reason="\ud800"), "half a character"),
    "long_text": (_with(reason="a" * 200_000), "200000 characters"),
    "row_twice": (json.dumps(made.record(0, [made.row("m", "p"), made.row("m", "p")])), "a second row"),
    "metric_twice": (_with(metrics=[made.metric("a", "bytes", 1, exact=True)] * 2), "a metric occurs twice"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_record_is_refused_by_name_and_stops_nothing(tmp_path, name):
    content, reason = HOSTILE[name]
    folder = made.write(tmp_path / "records", _record(1))
    path = folder / f"0-{name}.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with _index(tmp_path) as index:
        update = index.update(folder)
        assert update.added == 1
        assert [file for file, _ in update.refused] == [path.name]
        assert reason in update.refused[0][1]
        assert "\n" not in update.refused[0][1] and len(update.refused[0][1]) < 500
        assert index.refusals() == update.refused
        assert len(_rows(index)) == len(CELLS)


def test_any_depth_is_refused_in_one_line(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    for depth in [*range(50, 1200, 50), 5000, 100_000]:
        (folder / f"{depth}.json").write_text('{"schema": 2, "rows": ' + "[" * depth + "]" * depth + "}")
        # The schema leaves room for more facts of a target.
        nested = _with(target={"more": "here"}).replace('"here"', "[" * depth + "]" * depth)
        (folder / f"{depth}-target.json").write_text(nested)
    with _index(tmp_path) as index:
        update = index.update(folder)
        assert update.added + len(update.refused) == 50
        assert dict(update.refused)["100000-target.json"] == "nested too deeply"


def test_a_folder_a_dangling_link_and_a_large_file_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(record_reader, "LARGEST_FILE", 10_000_000)
    folder = made.write(tmp_path / "records", _record())
    (folder / "folder.json").mkdir()
    (folder / "link.json").symlink_to("nowhere")
    with (folder / "large.json").open("wb") as stream:
        stream.truncate(10_000_001)
    with _index(tmp_path) as index:
        update = index.update(folder)
    assert update.added == 1
    reasons = dict(update.refused)
    assert reasons["folder.json"] == reasons["link.json"] == "not a regular file"
    assert "larger than" in reasons["large.json"]


def test_a_file_that_was_mended_is_not_refused_any_more(tmp_path):
    folder = made.write(tmp_path / "records", _record())
    (folder / "bad.json").write_text("{")
    with _index(tmp_path) as index:
        assert len(index.update(folder, only_this_folder=True).refused) == 1
        (folder / "bad.json").write_text(json.dumps(_record(1)))
        assert index.update(folder, only_this_folder=True).added == 1
        assert index.refusals() == []


def test_names_of_refused_files_are_printable(tmp_path):
    folder = made.write(tmp_path / "records", _record())
    (folder / "a\x1b[31m\n.json").write_text("{")
    with _index(tmp_path) as index:
        assert index.update(folder).refused[0][0] == "a\\x1b[31m\\n.json"


def test_records_of_version_1_keep_loading(tmp_path):
    """As written before sizes were metrics."""
    record = _record()
    record["schema"] = 1
    del record["source"]["committed"], record["source"]["subject"], record["compiler"]["sha256"]
    for row in record["rows"]:
        for key in ("commands", "reproduce", "flags", "model_sha256", "module_sha256"):
            del row[key]
        row["metrics"] = row["metrics"][:2]
        row["module"] = {"sha256": made.sha("module"), "file_bytes": 70, "code_bytes": 50, "arena_bytes": None}
        row["checks"] = [{"sample": "upright", "ok": True, "largest_error": 1e-7, "direction": "upright"}]
    folder = made.write(tmp_path / "records", record)
    with _index(tmp_path) as index:
        assert index.update(folder).refused == []
        for row, metrics in index.results("nightly"):
            assert {name: m.samples for name, m in metrics.items() if m.exact and m.unit == "bytes"} == {
                "file_bytes": [70],
                "code_bytes": [50],
            }
            assert row.module_sha256 == made.sha("module")
            assert row.checks[0]["answer"] == "upright"


def test_the_default_index_holds_what_the_folder_holds(tmp_path):
    folder = made.write(tmp_path / "records", _record(), _record(1))
    with _index(tmp_path) as index:
        index.update(folder, only_this_folder=True)
        next(folder.glob("*.json")).unlink()
        assert index.update(folder, only_this_folder=True).forgotten == 1
        assert len(index.runs("nightly")) == 1
        assert len(_rows(index)) == len(CELLS)


def test_a_database_by_url_gathers_several_folders(tmp_path):
    one, other = made.write(tmp_path / "one", _record()), made.write(tmp_path / "other", _record(1))
    url = f"sqlite:///{tmp_path / 'shared.sqlite'}"
    for folder in (one, other, one):
        with store.open_url(url) as index:
            index.update(folder)
    with store.open_url(url) as index:
        assert len(index.runs("nightly")) == 2


@pytest.mark.parametrize("damage", ["layout", "broken", "old_tables"])
def test_an_index_of_another_layout_or_broken_is_made_anew(tmp_path, damage):
    folder, path = made.write(tmp_path / "records", _record()), tmp_path / "index.sqlite"
    with store.open_file(path) as index:
        index.update(folder)
    if damage == "broken":
        path.write_bytes(path.read_bytes()[:100] + b"\xff" * 5000)
    else:
        with sqlite3.connect(path) as connection:
            statement = "update layout set version = 0" if damage == "layout" else "drop table layout"
            connection.execute(statement)
    with store.open_file(path) as index:
        index.update(folder)
        assert len(_rows(index)) == len(CELLS)


def test_a_file_that_is_no_index_is_left_as_it_is(tmp_path):
    path = tmp_path / "index.sqlite"
    path.write_text("my notes\n" * 100)
    with pytest.raises(store.StoreError, match="index.sqlite"):
        store.open_file(path)
    assert path.read_text() == "my notes\n" * 100


@pytest.mark.parametrize(
    "url",
    ["nonsense", "mysql://user:secret@host/db", "postgresql+nodriver://user:secret@host/db", "sqlite:////proc/x/y"],
)
def test_a_database_that_can_not_be_used_is_one_line_without_its_password(url):
    with pytest.raises(store.StoreError) as caught:
        store.open_url(url)
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


def test_no_such_folder_is_an_error_that_names_it(tmp_path):
    with _index(tmp_path) as index, pytest.raises(store.StoreError, match="nowhere"):
        index.update(tmp_path / "nowhere")
