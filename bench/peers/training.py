"""The peer of bench_training: the same training steps in PyTorch, as the published program does them.

Dense inputs of 6,360 floats a row, nn.Linear, nn.BatchNorm1d, nn.Embedding, torch.optim.AdamW.
usage: training.py FOLDER STEPS THREADS   (FOLDER: from bench_training --write); prints one line of JSON.
"""

import json
import os
import sys
import time

STEPS, THREADS = int(sys.argv[2]), int(sys.argv[3])
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(THREADS)

import numpy as np  # noqa: E402: after the numbers of threads
import torch  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/train"))
from pytorch_network import Network  # noqa: E402
from safetensors_file import read_safetensors  # noqa: E402

torch.set_num_threads(THREADS)


def main():
    folder = sys.argv[1]
    network = Network(read_safetensors(f"{folder}/weights.safetensors"))
    stored = read_safetensors(f"{folder}/batches.safetensors")
    batches = [
        (
            torch.from_numpy(stored[f"inputs{i}"].copy()),
            torch.from_numpy(stored[f"categories{i}"].astype(np.int64)),
            torch.from_numpy(stored[f"labels{i}"].copy()),
        )
        for i in range(len(stored) // 3)
    ]
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=0.01)
    criterion = torch.nn.BCEWithLogitsLoss()
    losses, seconds = [], []
    for step in range(STEPS):
        inputs, categories, labels = batches[step % len(batches)]
        start = time.perf_counter()
        optimiser.zero_grad()
        loss = criterion(network(inputs, categories), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM:"))
    version = f"PyTorch {torch.__version__}"
    print(json.dumps({"losses": losses, "seconds": seconds, "peak_mib": peak, "version": version}))


main()
