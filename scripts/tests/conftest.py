"""Stand-ins for the compiled tools, so that these tests need nothing but Python.

The fake compiler wraps an ONNX file as a "module", the fake crosscut-run evaluates it with ONNX Runtime. Environment
variables make them fail: FAKE_REFUSE=<operator>, FAKE_CRASH=compile|run, FAKE_CORRUPT=<output>, FAKE_FUSED=1
(corrupts FAKE_CORRUPT and what follows only when few outputs are kept).
"""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from crosscut import paths

_COMPILE = """
import os, signal, shutil, sys
import onnx
model, output = sys.argv[1], sys.argv[sys.argv.index("-o") + 1]
if os.environ.get("FAKE_CRASH") == "compile":
    os.kill(os.getpid(), signal.SIGSEGV)
proto = onnx.load(model)
for node in proto.graph.node:
    if node.op_type == os.environ.get("FAKE_REFUSE"):
        opset = proto.opset_import[0].version
        sys.exit(f"error: {model}: node '{node.name}' ({node.op_type}, opset {opset}): the operator is not supported")
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
"""

_INFO = """
import json
print(json.dumps({"triple": "fake-linux", "weights_bytes": 10, "functions": [{"name": "main", "arena_bytes": 64}],
                  "variants": [{"cpu": "fake", "features": "", "code_bytes": 5}]}))
"""

_BENCH = """
import json, sys
flags = dict(a[2:].partition("=")[::2] for a in sys.argv[1:])
entry = {"name": "main", "run_type": "iteration", "real_time": 2.5, "time_unit": "ms"}
open(flags["benchmark_out"], "w").write(json.dumps({"benchmarks": [entry] * 3}))
"""


@pytest.fixture
def fake_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build tree with the stand-ins in it; the package uses it instead of build/."""
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    binaries = tmp_path / "build" / "host" / "bin"
    binaries.mkdir(parents=True)
    sources = {"crosscut-compile": _COMPILE, "crosscut-run": _RUN, "crosscut-info": _INFO, "crosscut-bench": _BENCH}
    for name, source in sources.items():
        path = binaries / name
        path.write_text(f"#!{sys.executable}\n{source}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return tmp_path
