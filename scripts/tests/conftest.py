"""Stand-ins for the compiled tools, so that these tests need nothing but Python.

The fake compiler wraps an ONNX file as a "module", the fake crosscut-run evaluates it with ONNX Runtime, and the fake
QEMU starts a program as it is. Environment variables make them fail: FAKE_REFUSE=<operator>, FAKE_CRASH=compile|run,
FAKE_CORRUPT=<output>, FAKE_FUSED=1 (corrupts FAKE_CORRUPT and what follows only when few outputs are kept).
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from crosscut import paths

_COMPILE = """
import os, signal, shutil, sys
model, output = sys.argv[1], sys.argv[sys.argv.index("-o") + 1]
if os.environ.get("FAKE_CRASH") == "compile":
    os.kill(os.getpid(), signal.SIGSEGV)
if "FAKE_REFUSE" in os.environ:
    import onnx  # takes a while
    proto = onnx.load(model)
    for node in proto.graph.node:
        if node.op_type == os.environ["FAKE_REFUSE"]:
            where = f"node '{node.name}' ({node.op_type}, opset {proto.opset_import[0].version})"
            sys.exit(f"error: {model}: {where}: the operator is not supported")
shutil.copy(model, output)
"""

_RUN = """
import os, signal, sys
import numpy as np, onnxruntime
if os.environ.get("FAKE_CRASH") == "run":
    os.kill(os.getpid(), signal.SIGILL)
flags = [a[2:].partition("=")[::2] for a in sys.argv[1:]]
session = onnxruntime.InferenceSession(dict(flags)["module"], providers=["CPUExecutionProvider"])
feeds = {}
for info, text in zip(session.get_inputs(), [v for k, v in flags if k == "input"]):
    name, _, path = text.rpartition("@")
    feeds[name.rstrip("=") or info.name] = np.load(path)
values = session.run(None, feeds)
for info, value, text in zip(session.get_outputs(), values, [v for k, v in flags if k == "output"]):
    corrupt = os.environ.get("FAKE_CORRUPT")
    if info.name == corrupt and not (os.environ.get("FAKE_FUSED") and len(values) > 2):
        value = value + value.dtype.type(1)
    np.save(text[1:], value)
if "print-statistics" in dict(flags):
    print("arena_bytes: 64\\npeak_rss_bytes: 4096", file=sys.stderr)
"""

_INFO = """
import json
print(json.dumps({"triple": "fake-linux", "weights_bytes": 10, "functions": [{"name": "main", "arena_bytes": 64}],
                  "variants": [{"cpu": "fake", "features": "", "code_bytes": 5}]}))
"""

_BENCH = """
import json, os, sys
flags = dict(a[2:].partition("=")[::2] for a in sys.argv[1:])
if "once" in flags:
    run = os.path.join(os.path.dirname(__file__), "crosscut-run")
    os.execv(run, [run, *(a for a in sys.argv[1:] if a != "--once")])
entry = {"name": "main", "run_type": "iteration", "real_time": 2.5, "time_unit": "ms"}
with open(flags.get("benchmark_out", os.devnull), "w") as out:
    json.dump({"benchmarks": [entry] * 3}, out)
"""

_QEMU = """
import json, os, sys
if "--version" in sys.argv:
    sys.exit(print("fake QEMU 1.0"))
if "-plugin" in sys.argv:
    counts = sys.argv[sys.argv.index("-plugin") + 1].split(",out=")[1]
    content = {"exact": True, "regions": [{"id": 0, "instructions": 12345678}]}
    open(counts, "w").write(json.dumps(content))
start = next(i for i, a in enumerate(sys.argv) if "/bin/crosscut-" in a)
os.execv(sys.argv[start], sys.argv[start:])
"""


@pytest.fixture
def fake_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build tree with the stand-ins in it; the package uses it instead of build/."""
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    sources = {"crosscut-compile": _COMPILE, "crosscut-run": _RUN, "crosscut-info": _INFO, "crosscut-bench": _BENCH}
    _install(tmp_path / "build" / "host" / "bin", sources)
    return tmp_path


@pytest.fixture
def fake_aarch64(fake_tools: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs for aarch64-linux, and a QEMU for them, beside the stand-ins."""
    _install(fake_tools / "build" / "aarch64-linux" / "bin", {"crosscut-run": _RUN, "crosscut-bench": _BENCH})
    _install(fake_tools / "qemu", {"qemu-aarch64": _QEMU})
    monkeypatch.setenv("PATH", f"{fake_tools / 'qemu'}{os.pathsep}{os.environ['PATH']}")
    return fake_tools


def _install(folder: Path, sources: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, source in sources.items():
        path = folder / name
        path.write_text(f"#!{sys.executable}\n{source}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
