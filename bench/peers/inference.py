"""A peer of the engine in Python: the network by ONNX Runtime, OpenVINO or PyTorch, one thread, from dense inputs.

usage: inference.py RUNTIME WEIGHTS INPUTS      RUNTIME: onnxruntime, onnxruntime-int8, openvino, pytorch
                                                INPUTS: from dense_inputs

Speaks as inference.cpp does: prints a line of JSON that says what it is, then answers each line of standard input
with one line of JSON:
  logits BATCH       {"logits": [...]} of all rows, BATCH at a time
  time BATCH CALLS   {"us": [...]}: microseconds of each call
"""

import json
import logging
import os
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402: after the number of threads

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/train"))
from safetensors_file import read_safetensors  # noqa: E402

EMBEDDINGS = ("language", "hour", "day")
WARM_UP = 3  # calls before those that count: the caches are another process's until then


def onnx_model(arrays):
    """The network as PyTorch exports it: Gather, Concat, Gemm, LeakyRelu, BatchNormalization."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, constants = [], []

    def constant(name, array):
        constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def dense(layer, value):
        weights = [constant(f"{layer}.{part}", arrays[f"{layer}.{part}"]) for part in ("weight", "bias")]
        return node("Gemm", [value, *weights], f"{layer}.out", transB=1)

    def activated(value, norm):
        parts = ("weight", "bias", "running_mean", "running_var")
        parameters = [constant(f"{norm}.{part}", arrays[f"{norm}.{part}"]) for part in parts]
        leaky = node("LeakyRelu", [value], f"{norm}.leaky", alpha=0.01)
        return node("BatchNormalization", [leaky, *parameters], f"{norm}.out", epsilon=1e-5)

    def plus(value, other):
        return node("Add", [value, other], f"{value}.sum")

    embedded = []
    for i, name in enumerate(EMBEDDINGS):
        column = node("Gather", ["categories", constant(f"{name}.column", np.int64(i))], f"{name}.category", axis=1)
        table = constant(f"{name}.weight", arrays[f"{name}.weight"])
        embedded.append(node("Gather", [table, column], f"{name}.embedded"))
    x = node("Concat", ["inputs", *embedded], "x", axis=1)
    p = dense("projection", x)
    x1 = activated(dense("l1", x), "bn1")
    x2 = activated(plus(dense("l2", x1), p), "bn2")
    x3 = activated(plus(dense("l3", x2), p), "bn3")
    x4 = activated(plus(dense("l4", x3), x1), "bn4")
    logits = dense("l_output", x4)

    width = arrays["l1.weight"].shape[1] - sum(arrays[f"{name}.weight"].shape[1] for name in EMBEDDINGS)
    inputs = [
        helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["rows", width]),
        helper.make_tensor_value_info("categories", TensorProto.INT64, ["rows", len(EMBEDDINGS)]),
    ]
    outputs = [helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["rows", 4])]
    graph = helper.make_graph(nodes, "network", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return model


def onnxruntime_peer(arrays, int8):
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/network.onnx"
        onnx.save(onnx_model(arrays), path)
        if int8:
            from onnxruntime.quantization import QuantType, quantize_dynamic

            logging.disable(logging.WARNING)  # its advice is about networks with shapes to infer
            quantize_dynamic(path, f"{folder}/int8.onnx", weight_type=QuantType.QInt8, per_channel=True)
            path = f"{folder}/int8.onnx"
            kinds = [node.op_type for node in onnx.load(path).graph.node]
            assert kinds.count("MatMulInteger") == 6, kinds
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(inputs, categories):
        return session.run(None, {"inputs": inputs, "categories": categories})[0]

    return run, f"ONNX Runtime {onnxruntime.__version__}"


def openvino_peer(arrays):
    import onnx
    import openvino

    core = openvino.Core()
    settings = {  # a CPU with bf16 would use it otherwise
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    requests = {}

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/network.onnx"
        onnx.save(onnx_model(arrays), path)
        network = core.read_model(path)

    def run(inputs, categories):
        rows = len(inputs)
        if rows not in requests:  # shapes known when compiled are this runtime's fastest case
            network.reshape({"inputs": inputs.shape, "categories": categories.shape})
            requests[rows] = core.compile_model(network, "CPU", settings).create_infer_request()
        requests[rows].infer({"inputs": inputs, "categories": categories}, share_inputs=True)
        return requests[rows].get_output_tensor().data

    return run, f"OpenVINO {openvino.__version__.split('-')[0]}"


def pytorch_peer(arrays):
    import torch
    from pytorch_network import Network

    torch.set_num_threads(1)
    network = Network(arrays).eval()

    def run(inputs, categories):
        with torch.inference_mode():
            return network(torch.from_numpy(inputs), torch.from_numpy(categories)).numpy()

    return run, f"PyTorch {torch.__version__}"


PEERS = {
    "onnxruntime": lambda arrays: onnxruntime_peer(arrays, int8=False),
    "onnxruntime-int8": lambda arrays: onnxruntime_peer(arrays, int8=True),
    "openvino": openvino_peer,
    "pytorch": pytorch_peer,
}


class Rows:
    def __init__(self, path):
        stored = read_safetensors(path)
        self.inputs = stored["inputs"].copy()
        self.categories = stored["categories"].copy()
        self.next = 0

    def batch(self, first, size):
        return self.inputs[first : first + size], self.categories[first : first + size]

    def next_batch(self, size):
        if self.next + size > len(self.inputs):
            self.next = 0
        first, self.next = self.next, self.next + size
        return self.batch(first, size)


def logits(run, rows, batch):
    """The last batch may begin inside the one before."""
    found = []
    for first in range(0, len(rows.inputs), batch):
        start = min(first, len(rows.inputs) - batch)
        found.append(run(*rows.batch(start, batch))[first - start :].copy())
    return [float(value) for value in np.concatenate(found).ravel()]


def times(run, rows, batch, calls):
    microseconds = []
    for _ in range(WARM_UP + calls):
        given = rows.next_batch(batch)
        start = time.perf_counter()
        run(*given)
        microseconds.append(1e6 * (time.perf_counter() - start))
    return microseconds[WARM_UP:]


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    runtime, weights, inputs = sys.argv[1:]
    rows = Rows(inputs)
    run, version = PEERS[runtime](read_safetensors(weights))
    say({"version": version})
    for line in sys.stdin:
        what, *numbers = line.split()
        if what == "logits":
            say({"logits": logits(run, rows, *map(int, numbers))})
        else:
            say({"us": times(run, rows, *map(int, numbers))})


main()
