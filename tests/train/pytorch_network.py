"""The network in PyTorch, as the published program has it."""

import torch
from torch import nn

EMBEDDINGS = ("language", "hour", "day")


class Network(nn.Module):
    """Takes a state dict's arrays by name; without running statistics they start afresh."""

    def __init__(self, arrays):
        super().__init__()
        hidden, inputs = arrays["l1.weight"].shape
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
            self.add_module(name, nn.Embedding(*arrays[name + ".weight"].shape))
        fresh = {name: value for name, value in self.state_dict().items() if name not in arrays}
        assert all("running" in name or "num_batches" in name for name in fresh), fresh.keys()
        self.load_state_dict({**fresh, **{name: torch.from_numpy(a.copy()) for name, a in arrays.items()}})

    def forward(self, inputs, categories):
        leaky = nn.functional.leaky_relu
        embedded = [getattr(self, name)(categories[:, i]) for i, name in enumerate(EMBEDDINGS)]
        x = torch.cat([inputs, *embedded], dim=1)
        p = self.projection(x)
        x1 = self.bn1(leaky(self.l1(x)))
        x2 = self.bn2(leaky(self.l2(x1) + p))
        x3 = self.bn3(leaky(self.l3(x2) + p))
        return self.l_output(self.bn4(leaky(self.l4(x3) + x1)))
