"""Logits of requests by PyTorch, from a training's weights.safetensors and the spec alone.

usage: pytorch_logits.py WEIGHTS CODEBOOK REQUESTS   (JSON); prints a line of four logits a request.
"""

import json
import sys

import numpy as np
import torch

from pytorch_network import EMBEDDINGS, Network
from safetensors_file import read_safetensors

SCALES = 2.0 ** np.arange(-1, 7)


def sketch(tokens, codebook, size):
    """Spec section 5; the first and the last token do not count."""
    depth = len(next(iter(codebook.values())))
    counts = np.zeros(size)
    for token in tokens[1:-1]:
        for code in codebook.get(str(token), []):
            counts[code] += 1
    rows = counts.reshape(depth, -1)
    norms = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    return (rows / np.where(norms == 0, 1, norms)).ravel()


def encoded(numerics):
    angles = np.asarray(numerics, np.float64)[:, None] / SCALES
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).ravel()


def main():
    weights, codebook, requests = sys.argv[1:]
    network = Network(read_safetensors(weights)).double().eval()  # so that the engine alone rounds
    with open(codebook) as file:
        codebook = json.load(file)
    with open(requests) as file:
        requests = json.load(file)
    size = network.l1.in_features - 73 * 16 - 12 - 20 * len(EMBEDDINGS)
    inputs = np.stack(
        [
            np.concatenate(
                [
                    sketch(request["tokens"], codebook, size),
                    encoded(request["numerics"]),
                    [request["flags"] >> i & 1 for i in range(12)],
                ]
            )
            for request in requests
        ]
    )
    inputs = inputs.astype(np.float32).astype(np.float64)  # as the published program's
    categories = torch.tensor([request["categories"] for request in requests])
    with torch.no_grad():
        for logits in network(torch.from_numpy(inputs), categories).tolist():
            print(*(repr(logit) for logit in logits))


main()
