"""A comparison goes on whatever becomes of a contender, and says of each what it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import pytest

from crosscut import matrix, models, paths, records, runner
from crosscut.peers import __main__ as command
from crosscut.peers import contenders, engines, native, packages, process, report, worker
from crosscut.peers.engines import Case, Given
from crosscut.peers.outcome import Outcome, check
from crosscut.peers.process import ContenderError, Worker

FAKE = Path(__file__).with_name("fake_worker.py")


def _case(name="simple", threads=1):
    model = models.get(name)
    return Case(model, model.samples()[0], matrix.load().platform(paths.HOST_PLATFORM), threads)


@pytest.fixture
def fakes(fake_tools, monkeypatch):
    """Stand-ins for Crosscut's programs and for the engines; returns a function that sets what becomes of an engine."""
    monkeypatch.setattr(contenders, "worker_command", lambda: [sys.executable, FAKE])
    monkeypatch.setattr(engines, "prepare", lambda name, case: Given([case.fixed], case.sample.inputs))
    monkeypatch.setattr(packages, "install_venv", lambda: None)
    return lambda **fates: monkeypatch.setenv("FAKE_PEERS", json.dumps(fates))


def _outcomes(rounds=2):
    return {o.contender: o for o in native.compare(_case(), rounds, lambda text: None)}


def test_all_contenders_are_measured_and_the_best_peer_is_the_fastest(fakes):
    outcomes = _outcomes(rounds=3)
    assert all(o.ok and o.largest_error == 0 for o in outcomes.values())
    assert {name: len(o.cost) for name, o in outcomes.items()} == {
        "crosscut": 9, "onnxruntime": 15, "openvino": 15, "litert": 15, "iree": 15, "ncnn": 15,
    }  # fmt: skip
    assert report.best_peer(list(outcomes.values())).contender == "openvino"
    assert outcomes["crosscut"].peak_rss == 4096 and outcomes["ncnn"].peak_rss == 5_000_000
    # The engine's library, and the model's file.
    assert outcomes["ncnn"].shipped_bytes == 1_000_000 + _case().fixed.stat().st_size


@pytest.mark.parametrize(
    ("fate", "phase", "reason"),
    [
        ("raises", "prepare", "the engine does not like it"),
        ("segfaults", "prepare", "ended by SIGSEGV"),
        ("babbles", "prepare", "answers 'Hello'"),
        ("crashes", "measure", "ended by SIGABRT"),
        ("wrong", "check", "output 0: 10 of 10 values differ"),
        ("not a number", "check", "output 0: 10 of 10 values differ"),
        ("flat", "check", "output 0: float32 [10], expected float32 [1, 10]"),
    ],
)
def test_a_contender_that_fails_is_a_row_and_the_others_go_on(fakes, fate, phase, reason):
    fakes(iree=fate)
    outcomes = _outcomes()
    failed = outcomes.pop("iree")
    assert not failed.ok and failed.failure.phase == phase and reason in failed.failure.reason
    assert all(o.ok for o in outcomes.values())


@pytest.mark.parametrize("fate", ["hangs", "stops"])
def test_a_contender_that_hangs_is_killed(fakes, monkeypatch, fate):
    monkeypatch.setattr(process, "TIMEOUT", 3.0)
    fakes(openvino=fate)
    outcomes = _outcomes()
    assert outcomes.pop("openvino").failure.reason == "no answer within 3 s"
    assert all(o.ok for o in outcomes.values())


@pytest.mark.parametrize("where", ["compile", "run"])
def test_crosscut_may_fail_like_any_other(fakes, monkeypatch, where):
    monkeypatch.setenv("FAKE_CRASH", where)
    outcomes = _outcomes()
    assert outcomes["crosscut"].failure.phase == where and outcomes["ncnn"].ok
    assert report.ratio(list(outcomes.values()), outcomes["ncnn"]) is None


def test_wrong_outputs_of_crosscut_are_found(fakes, monkeypatch):
    monkeypatch.setenv("FAKE_CORRUPT", models.find("simple").facts["outputs"][0]["name"])
    assert _outcomes()["crosscut"].failure.phase == "check"


def test_contenders_run_on_as_many_cpus_as_threads():
    allowed = os.sched_getaffinity(0)
    with contenders.pinned(1):
        seen = subprocess.run(
            [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"], capture_output=True, text=True
        )
    assert seen.stdout.strip() == "1" and os.sched_getaffinity(0) == allowed


_NOISY = """
import runpy, sys, onnxruntime
class Noisy(onnxruntime.InferenceSession):
    def __init__(self, *args, **options):
        print("noise", flush=True)
        super().__init__(*args, **options)
onnxruntime.InferenceSession = Noisy
sys.argv[0] = WORKER
runpy.run_path(WORKER, run_name="__main__")
"""


def test_the_worker_with_an_engine_that_prints(tmp_path):
    """The real one, with the engine that this environment has, on a real model. Outside QEMU its marks do nothing."""
    case = _case()
    engines.fix_shapes(case)
    noisy = tmp_path / "noisy.py"
    script = Path(contenders.__file__).with_name("worker.py")
    noisy.write_text(_NOISY.replace("WORKER", repr(str(script))))
    worker = Worker(
        [sys.executable, noisy],
        contenders.task("onnxruntime", case, Given([case.fixed], case.sample.inputs)),
        tmp_path / "log",
    )
    assert worker.facts["peak_rss"] > 0 and worker.facts["shipped_bytes"] > 1e6
    files = contenders.worker_outputs(worker, "onnxruntime", case)
    assert check(case.model, case.sample, files) <= case.model.tolerance.atol
    assert len(worker.ask("time", 0.001, 3)) == 3 and min(worker.ask("time", 0.001, 1)) > 0
    worker.ask("count")
    worker.close()
    assert (tmp_path / "log").read_text() == "noise\n"


def test_a_library_with_links_is_shipped_once(tmp_path):
    library = tmp_path / "capi" / "libonnxruntime.so.1.2.3"
    library.parent.mkdir()
    library.write_bytes(b"x" * 100)
    library.with_suffix("").symlink_to(library.name)
    (tmp_path / "capi" / "onnxruntime_pybind11_state.so").write_bytes(b"x" * 7)
    module = types.SimpleNamespace(__file__=str(tmp_path / "__init__.py"))
    assert worker.shipped_bytes("onnxruntime", module) == 100


@pytest.mark.skipif(not paths.tool("crosscut-compile").is_file(), reason="crosscut-compile is not built")
def test_a_short_comparison_of_what_is_installed(monkeypatch):
    """The compiler and the worker as they are, and the one engine that build/venv has, too."""
    monkeypatch.setattr(
        contenders, "worker_command", lambda: [sys.executable, Path(native.__file__).with_name("worker.py")]
    )
    monkeypatch.setattr(native, "NAMES", ("crosscut", "onnxruntime"))
    outcomes = native.compare(_case(), 1, lambda text: None)
    for outcome in outcomes:
        assert outcome.ok, outcome.failure
        assert outcome.peak_rss > 0 and outcome.shipped_bytes > 0 and min(outcome.cost) > 0


# --- Tables and records ---


def _results(**failures):
    case = _case()
    cost = {
        "crosscut": [0.006, 0.005],
        "onnxruntime": [0.008, 0.0081],
        "openvino": [0.004, 0.0042],
        "litert": [0.0045],
        "iree": [0.03],
        "ncnn": [0.01],
    }
    outcomes = [Outcome(name, "1.0", values, largest_error=1e-7, shipped_bytes=10) for name, values in cost.items()]
    for outcome in outcomes:
        if outcome.contender in failures:
            outcome.fail(failures[outcome.contender])
            outcome.largest_error = None
    return [(case, outcomes)]


def _cells(results):
    lines = report.markdown_text(results).splitlines()
    return {
        cells[3]: cells[-2] for cells in ([c.strip() for c in line.split("|")] for line in lines if line[:2] == "| ")
    }


def test_ratios_are_of_least_samples_and_the_best_peer_counts():
    ratios = _cells(_results())
    assert ratios["crosscut"] == "1.00" and ratios["onnxruntime"] == "0.62" and ratios["openvino"] == "1.25"
    assert ratios["best peer"] == "1.25"


def test_a_failed_peer_is_not_the_best_and_its_reason_is_told():
    results = _results(openvino=ContenderError("check", "output 0: 3 of 10 values differ"))
    assert _cells(results)["openvino"] == "-" and _cells(results)["best peer"] == "1.11"
    shown = report.text(results)
    assert "wrong output" in shown and "simple, 1 thread, openvino: output 0: 3 of 10 values differ" in shown


def test_no_ratio_without_crosscut_or_without_peers():
    broken = ContenderError("run", "ended by SIGILL", "crosscut-run")
    assert _cells(_results(crosscut=broken))["best peer"] == "-"
    everyone = _results(**dict.fromkeys(engines.NAMES, broken))
    assert _cells(everyone)["best peer"] == "-" and "fails" in report.text(everyone)


def test_the_record_matches_the_schema_and_has_the_failed_rows():
    record = records.start("peers", ["scripts/compare-peers"])
    record["rows"] = report.record_rows(
        _results(
            iree=ContenderError("compile", "failed to legalize", "iree-compile model.mlir"),
            ncnn=ContenderError("measure", "ended by SIGSEGV", "python worker.py"),
            openvino=ContenderError("check", "output 0: 3 of 10 values differ"),
        )
    )
    record["finished"] = records.now()
    records.validate(record)
    rows = {row["contender"].split()[0]: row for row in record["rows"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        "crosscut": "pass", "onnxruntime": "pass", "openvino": "fail", "litert": "pass", "iree": "unsupported",
        "ncnn": "fail",
    }  # fmt: skip
    assert rows["crosscut"]["metrics"][0]["samples"] == [0.006, 0.005]
    assert rows["openvino"]["checks"] == [
        {"sample": rows["crosscut"]["checks"][0]["sample"], "ok": False, "problem": "output 0: 3 of 10 values differ"}
    ]
    assert all(row["reproduce"] == "scripts/compare-peers simple" for row in rows.values())


# --- What engines are given ---


def test_peers_get_the_shapes_that_crosscut_compiles_for(fake_tools):
    case = _case("matmul_softmax")
    fixed = Case(models.Model("matmul_softmax", case.model.folder, {**case.model.facts, "fixed_shapes": {"x": [7, 64]}}), *list(vars(case).values())[1:])  # fmt: skip
    engines.fix_shapes(fixed)
    assert models.reference_session(fixed.fixed).get_inputs()[0].shape == [7, 64]


def test_what_a_compiler_made_or_refused_is_kept(fake_tools):
    calls = []

    def make(folder):
        calls.append(folder)
        (folder / "a").write_text("made")

    def refuse(folder):
        make(folder)
        raise ContenderError("compile", "no such operator")

    for _ in range(2):
        assert engines.cached(["k"], ["a"], make)[0].read_text() == "made"
        with pytest.raises(ContenderError, match="no such operator") as caught:
            engines.cached(["other"], ["a"], refuse)
        assert caught.value.phase == "compile"
    assert len(calls) == 2
    assert len(list((paths.BUILD / "peers" / "cache").glob("*/a"))) == 1


def test_a_compiler_that_can_not_be_started_has_refused_nothing(fake_tools):
    for _ in range(2):
        with pytest.raises(ContenderError, match="No such file") as caught:
            engines.cached(["k"], ["a"], lambda folder: engines.checked([folder / "gone"], "compiler"))
        assert caught.value.phase == "prepare"
    assert list((paths.BUILD / "peers" / "cache").iterdir()) == []


def test_a_compiler_s_own_error_is_its_reason(fake_tools):
    errors = "echo 'm.mlir:3:4: error: no such thing' >&2; echo 'note: because' >&2; exit 1"
    with pytest.raises(ContenderError, match="^compiler: no such thing$"):
        engines.checked(["/bin/sh", "-c", errors], "compiler")


def test_an_interrupted_compiler_leaves_nothing_behind(fake_tools):
    def interrupted(folder):
        (folder / "a").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engines.cached(["k"], ["a"], interrupted)
    assert list((paths.BUILD / "peers" / "cache").iterdir()) == []


# --- The command ---


def test_the_command_prints_a_table_and_writes_markdown_and_a_record(fakes, tmp_path, capsys):
    fakes(ncnn="segfaults")
    files = {"--json": tmp_path / "r.json", "--markdown": tmp_path / "r.md"}
    flags = [str(part) for pair in files.items() for part in pair]
    assert command.main(["simple", "--threads", "1", "--threads", "2", "--rounds", "1", "--no-build", *flags]) == 0
    out, err = capsys.readouterr()
    assert "simple, 2 threads, ncnn: ended by SIGSEGV" in out and "[14/14] compare: simple, 2 threads" in err
    record = json.loads(files["--json"].read_text())
    records.validate(record)
    assert len(record["rows"]) == 12 and {row["threads"] for row in record["rows"]} == {1, 2}
    assert "| simple | 1 | openvino |" in files["--markdown"].read_text()


def test_a_comparison_for_an_older_cpu_says_so_to_whoever_can_be_told(fakes, monkeypatch, tmp_path):
    told, compiled, real, start = {}, [], runner.compile_command, contenders.Worker

    def worker(command, task, log, environment):
        told[task["engine"]] = environment
        return start(command, task, log, environment)

    def compile_command(*arguments):
        compiled.append(real(*arguments))
        return compiled[-1]

    monkeypatch.setattr(contenders, "Worker", worker)
    monkeypatch.setattr(runner, "compile_command", compile_command)
    path = tmp_path / "r.json"
    assert command.main(["simple", "--rounds", "1", "--cpu", "x86-64-v3", "--no-build", "--json", str(path)]) == 0
    assert "--cpu=x86-64-v3" in compiled[0]
    assert told["openvino"] == {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    assert engines._iree_target(replace(_case(), cpu="x86-64-v3")) == ["--iree-llvmcpu-target-cpu=x86-64-v3"]
    rows = json.loads(path.read_text())["rows"]
    assert {row["setting"] for row in rows} == {"x86-64-v3"} and "--cpu x86-64-v3" in rows[0]["reproduce"]


def test_the_command_fails_when_crosscut_does(fakes, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FAKE_CRASH", "compile")
    assert command.main(["simple", "--rounds", "1", "--no-build", "--json", str(tmp_path / "r.json")]) == 1
    assert capsys.readouterr().err.endswith("error: Crosscut failed on simple\n")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["no-such-model"], "no-such-model: no such model"),
        (["--platform", "mips"], "no platform 'mips'"),
        (["--platform", "x86_64-linux"], "--platform x86_64-linux: no peers there; there are: aarch64-linux"),
        (["--platform", "armv7-linux"], "--platform armv7-linux: no peers there"),
    ],
)
def test_wrong_names_are_one_line(fake_tools, capsys, flags, words):
    assert command.main([*flags, "--no-build"]) == 1
    err = capsys.readouterr().err
    assert (
        err.startswith(f"error: {'' if words[0] != 'n' or 'platform' not in words else 'matrix: '}{words}")
        and err.count("\n") == 1
    )


@pytest.mark.parametrize(
    "flags",
    [
        ["--threads", "0"],
        ["--rounds", "x"],
        ["--threads", "1", "--platform", "aarch64-linux"],
        ["--cpu", "z80"],
        ["--cpu", "x86-64-v3", "--platform", "aarch64-linux"],
    ],
)
def test_wrong_numbers_are_refused(flags):
    with pytest.raises(SystemExit) as caught:
        command.main(flags)
    assert caught.value.code == 2


def test_without_network_one_line_says_what_is_missing(fake_tools, monkeypatch, capsys):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    assert command.main(["simple", "--no-build"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("error: build/venv-peers can not be installed from PyPI: pip: ERROR: ")
    assert not (paths.BUILD / "venv-peers" / "lock").exists()


def test_an_interrupt_ends_the_contenders_and_writes_nothing(fakes, tmp_path):
    """In a process of its own: worker processes, and one that hangs."""
    program = tmp_path / "compare.py"
    program.write_text(
        "import sys\nfrom pathlib import Path\nfrom crosscut import paths\nfrom crosscut.peers import __main__, contenders, engines, packages\n"
        f"contenders.worker_command = lambda: [sys.executable, {str(FAKE)!r}]\n"
        "engines.prepare = lambda name, case: engines.Given([case.fixed], case.sample.inputs)\npackages.install_venv = lambda: None\n"
        "sys.exit(__main__.main(sys.argv[1:]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(paths.SOURCE / "scripts"), "CROSSCUT_BUILD_DIR": str(paths.BUILD)}
    environment["FAKE_PEERS"] = json.dumps({"openvino": "stops"})
    process_ = subprocess.Popen(
        [sys.executable, program, "simple", "--no-build", "--json", tmp_path / "r.json"],
        stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    for line in process_.stderr:
        if "ncnn: ready" in line:
            break
    time.sleep(0.5)
    workers = _children(process_.pid)
    process_.send_signal(signal.SIGINT)
    assert process_.wait(60) == 130 and not (tmp_path / "r.json").exists()
    assert workers and not any(Path(f"/proc/{pid}").exists() for pid in workers)


def _children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found
