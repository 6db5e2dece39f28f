"""bench_training against PyTorch (training.py): same weights, same batches, in turns; one table.

usage: compare_training.py BENCH_TRAINING [--rounds 5] [--steps 10] [--threads 2] [--other BENCH_TRAINING]

Every round starts each program afresh for STEPS steps, the first two of which only warm up. --other adds a second
build of bench_training: before and after a change.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROWS = 256
WARM_UP = 2


def run(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(result.stdout)


def cpu_name():
    with open("/proc/cpuinfo") as info:
        names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return f"{names[0]}, {len(names)} CPUs" if names else "unknown CPU"


def check_same_work(first, other):
    """The first loss is that of the same weights and batch; later ones drift with rounding."""
    for step, limit in ((0, 1e-5), (1, 1e-3)):
        a, b = first["losses"][step], other["losses"][step]
        if abs(a - b) > limit * abs(a):
            sys.exit(f"not the same work: losses of step {step + 1} are {a} and {b}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--other")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    peer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "training.py")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.program, "--write", folder], check=True)
        own = ["--json", "--steps", str(options.steps), "--threads", str(options.threads)]
        commands = {"kinglet": [options.program, *own]}
        if options.other:
            commands["kinglet, other"] = [options.other, *own]
        # Debian's python3-torch belongs to Debian's python3, whatever `python3` is.
        commands["PyTorch"] = ["/usr/bin/python3", peer, folder, str(options.steps), str(options.threads)]
        runs = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                runs[name].append(run(command))
                check_same_work(runs["kinglet"][0], runs[name][-1])

    print(f"{cpu_name()}; {options.threads} threads; {runs['PyTorch'][0]['version']}; "
          f"{options.rounds} rounds of {options.steps - WARM_UP} steps, batch {ROWS}, in turns")
    print(f"loss of the first step: " +
          ", ".join(f"{name} {made[0]['losses'][0]:.6f}" for name, made in runs.items()))
    print(f"{'':16}{'rows/s, median':>16}{'best step':>12}{'rounds (medians)':>36}{'peak MiB':>10}")
    figures = {}
    for name, made in runs.items():
        medians = [ROWS / statistics.median(one["seconds"][WARM_UP:]) for one in made]
        best = ROWS / min(min(one["seconds"][WARM_UP:]) for one in made)
        figures[name] = (statistics.median(medians), best, medians)
        peak = max(one["peak_mib"] for one in made)
        rounds = " ".join(f"{value:.0f}" for value in medians)
        print(f"{name:16}{figures[name][0]:16.0f}{best:12.0f}{rounds:>36}{peak:10}")
    for name in runs:
        if name == "kinglet":
            continue
        ratios = [a / b for a, b in zip(figures["kinglet"][2], figures[name][2])]
        print(f"kinglet / {name}: median of the rounds' ratios {statistics.median(ratios):.2f} "
              f"({min(ratios):.2f} to {max(ratios):.2f}), best steps {figures['kinglet'][1] / figures[name][1]:.2f}")


main()
