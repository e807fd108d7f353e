"""One engine with one model, in a process of its own: `worker.py TASK`, TASK being a JSON object with

    engine   onnxruntime, openvino, litert, iree or ncnn
    model    list of the engine's files: [.onnx], [.tflite], [.vmfb], [.param, .bin]
    threads  number of threads
    inputs   .npy files, in the model's order, of the engine's types
    shapes   shape of each output
    inputs_names, outputs_names  in the model's order

It runs where the package `crosscut` is not: in build/venv-peers, or in another CPU's Python under QEMU. The engine is
loaded and runs once; then the first answer goes to standard output, one line of JSON like every answer. Requests come
one a line on standard input:

    outputs PREFIX       writes PREFIX<i>.npy
    time SECONDS REPEATS seconds of one inference, REPEATS values, each the mean over about SECONDS
    count                two marked regions (benchmarks/marks.h): a call of nothing, then an inference

Inputs are bound before anything is timed, and every engine is asked for its lowest latency in float32.
"""

import ctypes
import gc
import json
import os
import sys
import time
from pathlib import Path

MARK = 0x7B7B  # the system call that benchmarks/qemu-plugin/count.c takes for a mark


def start_onnxruntime(np, task, inputs):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task["threads"]
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(task["model"][0], options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for info, value in zip(session.get_inputs(), inputs, strict=True):
        binding.bind_cpu_input(info.name, value)
    for info in session.get_outputs():
        binding.bind_output(info.name)
    return lambda: session.run_with_iobinding(binding), binding.copy_outputs_to_cpu, onnxruntime


def start_openvino(np, task, inputs):
    import openvino

    core = openvino.Core()
    # float32 like the others: on CPUs with bfloat16 units the default would be bfloat16.
    facts = {"INFERENCE_NUM_THREADS": task["threads"], "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    facts["PERFORMANCE_HINT"] = "LATENCY"
    request = core.compile_model(core.read_model(task["model"][0]), "CPU", facts).create_infer_request()
    for index, value in enumerate(inputs):
        request.set_input_tensor(index, openvino.Tensor(value, shared_memory=True))

    def run():
        request.start_async()
        request.wait()

    return run, lambda: [tensor.data.copy() for tensor in request.output_tensors], openvino


def start_litert(np, task, inputs):
    import ai_edge_litert
    from ai_edge_litert.interpreter import Interpreter

    # Its default is XNNPACK, with as many threads.
    interpreter = Interpreter(task["model"][0], num_threads=task["threads"])
    interpreter.allocate_tensors()
    places = {place["name"]: place for place in interpreter.get_input_details()}
    for name, value in zip(task["inputs_names"], inputs, strict=True):
        place = places.pop(name)
        if list(place["shape"]) != list(value.shape):
            value = np.ascontiguousarray(np.moveaxis(value, 1, -1))  # NCHW to NHWC
        interpreter.set_tensor(place["index"], value)

    def outputs():
        places = {place["name"]: place["index"] for place in interpreter.get_output_details()}
        values = [interpreter.get_tensor(places[name]) for name in task["outputs_names"]]
        return [
            v if list(v.shape) == s or v.ndim < 3 else np.moveaxis(v, -1, 1)
            for v, s in zip(values, task["shapes"], strict=True)
        ]

    return interpreter.invoke, outputs, ai_edge_litert


def start_iree(np, task, inputs):
    import iree.runtime as iree

    if task["threads"] > 1:
        iree.flags.parse_flags(f"--task_topology_group_count={task['threads']}")
    device = iree.get_device("local-sync" if task["threads"] == 1 else "local-task")
    instance = iree.VmInstance()
    module = iree.VmModule.mmap(instance, task["model"][0])
    context = iree.VmContext(instance, [iree.create_hal_module(instance, device), module])
    # An imported graph is one function, beside its asynchronous twin and what initialises the weights.
    names = [name for name in module.function_names if not name.startswith("__") and not name.endswith("$async")]
    function = module.lookup_function(names[0])
    arguments = iree.VmVariantList(len(inputs))
    for value in inputs:
        buffer = device.allocator.allocate_buffer_copy(
            memory_type=iree.MemoryType.DEVICE_LOCAL,
            allowed_usage=iree.BufferUsage.DEFAULT,
            device=device,
            buffer=value,
            element_type=iree.array_interop.map_dtype_to_element_type(value.dtype),
        )
        arguments.push_ref(buffer)
    last = []

    def run():
        results = iree.VmVariantList(len(task["shapes"]))
        context.invoke(function, arguments, results)
        last[:] = [results]

    def outputs():
        views = [last[0].get_as_object(i, iree.HalBufferView) for i in range(len(task["shapes"]))]
        return [iree.DeviceArray(device, view, implicit_host_transfer=True).to_host() for view in views]

    return run, outputs, iree


def start_ncnn(np, task, inputs):
    # The RISC-V wheel lacks a function of its half precision code, which is never called: bind when called.
    sys.setdlopenflags(os.RTLD_LAZY)
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = task["threads"]
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{name}", False)
    for load, path in zip((net.load_param, net.load_model), task["model"], strict=True):
        if load(path):
            raise SystemExit(f"{Path(path).name} can not be loaded")
    mats = [ncnn.Mat(value).clone() for value in inputs]  # a copy has the alignment that ncnn's own have
    last = []

    def run():
        extractor = net.create_extractor()
        for index, mat in enumerate(mats):
            extractor.input(f"in{index}", mat)
        last[:] = [extractor.extract(f"out{index}") for index in range(len(task["shapes"]))]

    def outputs():
        for index, (code, _) in enumerate(last):
            if code:
                raise SystemExit(f"output {index} can not be computed (ncnn's code {code})")
        values = [np.array(mat) for _, mat in last]
        return [v.reshape(s) if v.size == np.prod(s) else v for v, s in zip(values, task["shapes"], strict=True)]

    return run, outputs, ncnn


STARTS = {
    "onnxruntime": start_onnxruntime,
    "openvino": start_openvino,
    "litert": start_litert,
    "iree": start_iree,
    "ncnn": start_ncnn,
}

# What a program that uses the engine needs beside itself, in the engine's package. ncnn's wheel has no other library
# than Python's; of IREE it is the program that runs modules; LiteRT's library has XNNPACK in it.
SHIPPED = {
    "onnxruntime": [("capi", "libonnxruntime.so.*")],
    "openvino": [
        ("libs", "libopenvino.so.*"),
        ("libs", "libopenvino_*_cpu_plugin.so"),
        ("libs", "libopenvino_onnx_frontend.so.*"),
        ("libs", "libtbb.so.*"),
    ],
    "litert": [("", "libLiteRt.so")],
    "iree": [("../_runtime_libs", "iree-run-module")],
    "ncnn": [("", "ncnn.*.so"), ("../ncnn.libs", "*.so*")],
}


def shipped_bytes(engine, module):
    folder = Path(module.__file__).parent
    # Debian's libraries have links beside them.
    files = {path.resolve() for place, pattern in SHIPPED[engine] for path in (folder / place).glob(pattern)}
    return sum(path.stat().st_size for path in files)


def version_of(name, module):
    from importlib import metadata

    packages = {"iree": "iree-base-runtime", "litert": "ai-edge-litert"}
    try:
        return metadata.version(packages.get(name, name))
    except metadata.PackageNotFoundError:
        return module.__version__


def memory(field):
    """VmRSS or VmHWM of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def timed(run, seconds, repeats):
    start = time.perf_counter()
    run()
    iterations = max(1, round(seconds / (time.perf_counter() - start)))
    values = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(iterations):
            run()
        values.append((time.perf_counter() - start) / iterations)
    return values


def counted(run):
    call = ctypes.CDLL(None).syscall
    begin, end = ((ctypes.c_long(MARK), ctypes.c_long(what), ctypes.c_long(0)) for what in (1, 2))
    gc.disable()
    for function in (lambda: None, run):
        call(*begin)
        function()
        call(*end)
    gc.enable()


def main():
    # Engines print to standard output, too: answers go to a copy of it, the rest to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        print(json.dumps(value), file=answers, flush=True)

    import numpy as np

    task = json.loads(sys.argv[1])
    inputs = [np.ascontiguousarray(np.load(path)) for path in task["inputs"]]
    own = memory("VmRSS")  # Python's and NumPy's part, which a program in C would not have
    run, outputs, module = STARTS[task["engine"]](np, task, inputs)
    run()
    answer(
        {
            "version": version_of(task["engine"], module),
            "peak_rss": max(0, memory("VmHWM") - own),
            "shipped_bytes": shipped_bytes(task["engine"], module),
        }
    )
    for line in sys.stdin:
        request = line.split()
        if request[0] == "outputs":
            values = outputs()
            for index, value in enumerate(values):
                np.save(f"{request[1]}{index}.npy", value)
            answer(len(values))
        elif request[0] == "time":
            answer(timed(run, float(request[1]), int(request[2])))
        elif request[0] == "count":
            counted(run)
            answer(None)


if __name__ == "__main__":
    main()
