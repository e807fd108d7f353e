"""Stands in for peers/worker.py. FAKE_PEERS says what becomes of an engine, as JSON: {"openvino": "wrong"}; others
answer with the reference's outputs and times of their own."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

task = json.loads(sys.argv[-1])
fate = json.loads(os.environ.get("FAKE_PEERS", "{}")).get(task["engine"], "right")
times = {"onnxruntime": 0.004, "openvino": 0.002, "litert": 0.003, "iree": 0.02, "ncnn": 0.005}


def answer(value):
    print(json.dumps(value), flush=True)


if fate == "raises":
    raise SystemExit("the engine does not like it")
if fate == "hangs":
    time.sleep(600)
if fate == "segfaults":
    os.kill(os.getpid(), signal.SIGSEGV)
if fate == "babbles":
    print("Hello", flush=True)
answer({"version": "1.0", "peak_rss": 5_000_000, "shipped_bytes": 1_000_000})
for line in sys.stdin:
    request = line.split()
    if request[0] == "outputs":
        for index, path in enumerate(task["inputs"][:1] * len(task["shapes"])):
            value = np.load(path.replace(".input0", f".output{index}"))
            value = {"wrong": value + 1, "not a number": value * np.nan, "flat": value.ravel()}.get(fate, value)
            np.save(f"{request[1]}{index}.npy", value)
        answer(len(task["shapes"]))
    elif request[0] == "time":
        if fate == "stops":
            time.sleep(600)
        if fate == "crashes":
            os.kill(os.getpid(), signal.SIGABRT)
        answer([times[task["engine"]]] * int(request[2]))
    else:
        if "CROSSCUT_FAKE_COUNTS" in os.environ and fate != "counts nothing":
            regions = [{"id": 0, "instructions": n} for n in (4_000, 20_004_000)]
            Path(os.environ["CROSSCUT_FAKE_COUNTS"]).write_text(json.dumps({"exact": True, "regions": regions}))
        answer(None)
