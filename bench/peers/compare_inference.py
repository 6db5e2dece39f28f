"""kinglet against other runtimes: same network, same rows, one thread on one CPU, in turns; tables in Markdown.

usage: compare_inference.py BUILD NET ROWS... [--model NAME=FILE]... [--python PYTHON] [--rounds 15] [--cpu 1] [...]

BUILD: the build folder, with kinglet, dense_inputs and inference_peers. NET: a folder of `kinglet train`, of which
weights.safetensors, history.kinglet and, without --model, model.kinglet are read. The first model must be of fp32: the
peers' logits are compared with its logits. PYTHON runs ONNX Runtime and OpenVINO.

kinglet is timed by `kinglet bench`: from a row's bytes to its probabilities. The peers get the network's dense inputs
ready-made, so that neither parsing nor features count for them. In every round each program has its turn: kinglet goes
through all rows, a peer does CALLS single rows, then BATCH_CALLS times 64 rows. A peer that is not installed is left
out; one whose logits differ from the engine's is an error.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../tests/train"))
from safetensors_file import read_safetensors  # noqa: E402

BATCH = 64
FP32_LIMIT = 1e-4  # of a logit, for a peer that computes in fp32
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Peer:
    """A process that answers lines (inference.py, inference.cpp)."""

    def __init__(self, name, command, exact, start):
        self.name, self.exact = name, exact
        self.process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        if not first:
            said = self.process.communicate()[1].strip().splitlines() or ["it said nothing"]
            raise OSError(said[-1])
        self.version = json.loads(first)["version"]

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.name}: {self.process.communicate()[1].strip()}")
        return json.loads(answer)

    def difference(self, logits):
        found = [self.ask("logits", batch)["logits"] for batch in (1, BATCH)]
        largest = max(abs(a - b) for one in found for a, b in zip(one, logits))
        if any(len(one) != len(logits) for one in found) or (self.exact and not largest <= FP32_LIMIT):
            sys.exit(f"{self.name} computes another network: logits differ by {largest}")
        return largest

    def times(self, batch, calls):
        return [time / batch for time in self.ask("time", batch, calls)["us"]]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Figures:
    """Microseconds a row: each round's median and minimum."""

    def __init__(self):
        self.medians, self.minima = [], []

    def add(self, median, minimum):
        self.medians.append(median)
        self.minima.append(minimum)

    median = property(lambda self: statistics.median(self.medians))
    minimum = property(lambda self: min(self.minima))

    def over(self, other):
        """Of the rounds' ratios of medians the median and the quartiles, and the ratio of the minima."""
        ratios = sorted(a / b for a, b in zip(self.medians, other.medians))
        quarter = len(ratios) // 4
        return (statistics.median(ratios), ratios[quarter], ratios[-1 - quarter], self.minimum / other.minimum)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("net")
    parser.add_argument("rows", nargs="+")
    parser.add_argument("--model", action="append", metavar="NAME=FILE", help="the first one: fp32")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--batch-calls", type=int, default=3)
    parser.add_argument("--minimum-tokens", type=int, default=20)
    parser.add_argument("--max-rows", type=int, default=256)
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)))
    options = parser.parse_args()
    given = options.model or [f"kinglet fp32={options.net}/model.kinglet"]
    options.models = dict(one.split("=", 1) for one in given)
    options.history = f"{options.net}/history.kinglet"
    options.choice = [*options.rows, "--different-tweets", "--minimum-tokens", str(options.minimum_tokens)]
    options.choice += ["--max-rows", str(options.max_rows)]
    return options


def started(options):
    """Starts a program on the one CPU."""

    def start(command, **more):
        pin = lambda: os.sched_setaffinity(0, {options.cpu})  # noqa: E731
        return subprocess.Popen(command, env={**os.environ, **ONE_THREAD}, preexec_fn=pin, **more)

    return start


def start_peers(options, inputs, start):
    weights = f"{options.net}/weights.safetensors"
    script = os.path.join(HERE, "inference.py")
    program = f"{options.build}/inference_peers"
    commands = {
        "ONNX Runtime fp32": [options.python, script, "onnxruntime"],
        "ONNX Runtime dynamic int8": [options.python, script, "onnxruntime-int8"],
        "OpenVINO fp32": [options.python, script, "openvino"],
        # Debian's python3-torch belongs to Debian's python3, whatever `python3` is.
        "PyTorch fp32": ["/usr/bin/python3", script, "pytorch"],
        "oneDNN fp32": [program, "onednn"],
        "OpenBLAS fp32": [program, "openblas"],
    }
    peers = []
    for name, command in commands.items():
        try:
            peers.append(Peer(name, [*command, weights, inputs], name.endswith("fp32"), start))
        except OSError as error:
            print(f"without {name}: {error}", file=sys.stderr)
    return peers


def write_inputs(options, model, path):
    command = [f"{options.build}/dense_inputs", "--model", model, "--history", options.history, "-o", path]
    subprocess.run([*command, *options.choice], check=True)
    return read_safetensors(path)


def bench(options, model, start):
    command = [f"{options.build}/kinglet", "bench", "--json", "--model", model, "--history", options.history]
    command += ["--rounds", "1", "--cold-rows", "0", "--loads", "0", *options.choice]
    process = start(command, stdout=subprocess.PIPE, text=True)
    out = process.communicate()[0]
    if process.returncode != 0:
        sys.exit("kinglet bench failed")
    return json.loads(out)


def run_rounds(options, peers, start):
    """(name, batch) -> Figures; kinglet takes rows one by one, whatever the peers' batch."""
    figures, report = {}, None
    for round_number in range(options.rounds):
        print(f"round {round_number + 1} of {options.rounds}", end="\r", file=sys.stderr, flush=True)
        for name, model in options.models.items():
            report = bench(options, model, start)
            figures.setdefault((name, 1), Figures()).add(report["p50_us"], report["min_us"])
        for peer in peers:
            for batch, calls in ((1, options.calls), (BATCH, options.batch_calls)):
                times = peer.times(batch, calls)
                figures.setdefault((peer.name, batch), Figures()).add(statistics.median(times), min(times))
    print(file=sys.stderr)
    return figures, report


def print_times(options, peers, figures, differences):
    print(f"\n| microseconds a row | batch 1, median | minimum | batch {BATCH}, median | minimum | logits differ by |")
    print("|---|---|---|---|---|---|")
    for name in [*options.models, *(peer.name for peer in peers)]:
        cells = []
        for batch in (1, BATCH):
            found = figures.get((name, batch))
            cells += [f"{found.median:.0f}", f"{found.minimum:.0f}"] if found else ["", ""]
        print(f"| {name} | {' | '.join(cells)} | {differences[name]:.1g} |")


def print_ratios(options, peers, figures):
    for model in options.models:
        own = figures[model, 1]
        print(f"\n| times {model} | batch 1: medians | minima | batch {BATCH}: medians | minima |")
        print("|---|---|---|---|---|")
        for peer in peers:
            cells = []
            for batch in (1, BATCH):
                median, low, high, of_minima = figures[peer.name, batch].over(own)
                cells += [f"{median:.2f} ({low:.2f} to {high:.2f})", f"{of_minima:.2f}"]
            print(f"| {peer.name} | {' | '.join(cells)} |")


def main():
    options = parsed()
    start = started(options)
    with tempfile.TemporaryDirectory() as folder:
        differences = {}
        for name, model in options.models.items():
            of_model = write_inputs(options, model, f"{folder}/{name.replace('/', '-')}.safetensors")["logits"].ravel()
            if not differences:
                logits, inputs = [float(value) for value in of_model], f"{folder}/{name.replace('/', '-')}.safetensors"
            differences[name] = max(abs(float(a) - b) for a, b in zip(of_model, logits))
        rows = len(logits) // 4
        if rows < BATCH:
            sys.exit(f"expected at least {BATCH} rows, found {rows}")
        peers = start_peers(options, inputs, start)
        for peer in peers:
            differences[peer.name] = peer.difference(logits)
        figures, report = run_rounds(options, peers, start)
        for peer in peers:
            peer.end()

    print(f"{report['cpu']}, kernels for {report['instruction_set']}; one thread; {rows} rows of at least "
          f"{options.minimum_tokens} tokens, all of different tweets; {options.rounds} rounds in turns")
    print("; ".join(dict.fromkeys(peer.version for peer in peers)))
    print_times(options, peers, figures, differences)
    print_ratios(options, peers, figures)


main()
