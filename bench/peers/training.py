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
from torch import nn  # noqa: E402

torch.set_num_threads(THREADS)
EMBEDDINGS = ("language", "hour", "day")


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


class Network(nn.Module):
    def __init__(self, weights):
        super().__init__()
        hidden, inputs = weights["l1.weight"].shape
        self.l1 = nn.Linear(inputs, hidden)
        self.l2 = nn.Linear(hidden, hidden)
        self.l3 = nn.Linear(hidden, hidden)
        self.l4 = nn.Linear(hidden, hidden)
        self.l_output = nn.Linear(hidden, 4)
        self.projection = nn.Linear(inputs, hidden)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.bn2 = nn.BatchNorm1d(hidden)
        self.bn3 = nn.BatchNorm1d(hidden)
        self.bn4 = nn.BatchNorm1d(hidden)
        for name in EMBEDDINGS:
            self.add_module(name, nn.Embedding(*weights[name + ".weight"].shape))
        tensors = {name: torch.from_numpy(values.copy()) for name, values in weights.items()}
        missing = self.load_state_dict(tensors, strict=False)
        assert not missing.unexpected_keys
        assert all("running" in name or "num_batches" in name for name in missing.missing_keys)

    def forward(self, inputs, categories):
        leaky = nn.functional.leaky_relu
        embedded = [getattr(self, name)(categories[:, i]) for i, name in enumerate(EMBEDDINGS)]
        x = torch.cat([inputs, *embedded], dim=1)
        p = self.projection(x)
        x1 = self.bn1(leaky(self.l1(x)))
        x2 = self.bn2(leaky(self.l2(x1) + p))
        x3 = self.bn3(leaky(self.l3(x2) + p))
        return self.l_output(self.bn4(leaky(self.l4(x3) + x1)))


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
    criterion = nn.BCEWithLogitsLoss()
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
