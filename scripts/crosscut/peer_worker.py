"""One contender of a comparison, in a process of its own: `peer_worker.py onnxruntime|openvino MODEL THREADS FILES...`.

Runs in build/venv-peers, where the package `crosscut` is not. Reads requests, one a line, from standard input:
"outputs PREFIX" writes PREFIX<i>.npy; "time REPETITIONS ITERATIONS" answers with seconds an inference, one value a
repetition. Inputs are FILES (.npy), in the model's order; they are bound before anything is timed.
"""

import json
import sys
import time

import numpy as np


def start_onnxruntime(model, threads, inputs):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for info, value in zip(session.get_inputs(), inputs, strict=True):
        binding.bind_cpu_input(info.name, value)
    for info in session.get_outputs():
        binding.bind_output(info.name)
    return lambda: session.run_with_iobinding(binding), binding.copy_outputs_to_cpu, onnxruntime.__version__


def start_openvino(model, threads, inputs):
    import openvino

    core = openvino.Core()
    # float32 like the others: on CPUs with bfloat16 units the default would be bfloat16.
    facts = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    facts["PERFORMANCE_HINT"] = "LATENCY"
    request = core.compile_model(core.read_model(model), "CPU", facts).create_infer_request()
    for index, value in enumerate(inputs):
        request.set_input_tensor(index, openvino.Tensor(value, shared_memory=True))

    def run():
        request.start_async()
        request.wait()

    return run, lambda: [t.data.copy() for t in request.output_tensors], openvino.__version__.split("-")[0]


def main():
    name, model, threads, *files = sys.argv[1:]
    starts = {"onnxruntime": start_onnxruntime, "openvino": start_openvino}
    inputs = [np.ascontiguousarray(np.load(path)) for path in files]
    run, outputs, version = starts[name](model, int(threads), inputs)
    run()
    print(json.dumps({"version": version}), flush=True)
    for line in sys.stdin:
        request = line.split()
        if request[0] == "outputs":
            values = outputs()
            for index, value in enumerate(values):
                np.save(f"{request[1]}{index}.npy", value)
            print(json.dumps(len(values)), flush=True)
        else:
            repetitions, iterations = int(request[1]), int(request[2])
            seconds = []
            for _ in range(repetitions):
                start = time.perf_counter()
                for _ in range(iterations):
                    run()
                seconds.append((time.perf_counter() - start) / iterations)
            print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
