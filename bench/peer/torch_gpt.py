"""The peer of bench_train.c: the same language model, batch and optimiser in PyTorch.

  python3 torch_gpt.py --precision f32|bf16 --form same|gpt2 --threads 2 --seconds 20

form same: RMSNorm, rotary positions, q/k norm, SwiGLU, as genba's blocks. form gpt2: LayerNorm, learned
positions, GELU, which PyTorch 1.13 runs with fewer kernels. Prints one JSON object a line; every
step is timed, the median is reported.
"""
import argparse
import json
import math
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

WIDTH, LAYERS, HEADS, VOCABULARY, BATCH, LENGTH = 384, 6, 6, 256, 16, 256


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


def rotate(x, cosine, sine):
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cosine - b * sine, a * sine + b * cosine), -1)


class Block(nn.Module):
    def __init__(self, same):
        super().__init__()
        norm = RMSNorm if same else nn.LayerNorm
        self.same = same
        self.norm1, self.norm2 = norm(WIDTH), norm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        if same:
            self.query_norm, self.key_norm = RMSNorm(WIDTH // HEADS), RMSNorm(WIDTH // HEADS)
            self.wide = nn.Linear(WIDTH, 2048, bias=False)
            self.narrow = nn.Linear(1024, WIDTH, bias=False)
        else:
            self.wide = nn.Linear(WIDTH, 4 * WIDTH)
            self.narrow = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, mask, cosine, sine):
        batch, length, _ = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, length, 3, HEADS, WIDTH // HEADS)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if self.same:
            query = rotate(self.query_norm(query), cosine, sine)
            key = rotate(self.key_norm(key), cosine, sine)
        scores = query @ key.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)
        weights = scores.masked_fill(mask, float("-inf")).softmax(-1)
        mixed = (weights.to(value.dtype) @ value).transpose(1, 2).reshape(batch, length, WIDTH)
        x = x + self.out(mixed)
        h = self.wide(self.norm2(x))
        if self.same:
            gate, up = h.chunk(2, -1)
            return x + self.narrow(F.silu(gate) * up)
        return x + self.narrow(F.gelu(h, approximate="tanh"))


class Model(nn.Module):
    def __init__(self, same):
        super().__init__()
        self.bytes = nn.Embedding(VOCABULARY, WIDTH)
        self.places = None if same else nn.Parameter(0.02 * torch.randn(LENGTH, WIDTH))
        self.blocks = nn.ModuleList(Block(same) for _ in range(LAYERS))
        self.norm = RMSNorm(WIDTH) if same else nn.LayerNorm(WIDTH)
        self.logits = nn.Linear(WIDTH, VOCABULARY, bias=False)
        half = WIDTH // HEADS // 2
        angle = torch.arange(LENGTH)[:, None] * 10000.0 ** (-torch.arange(half) / half)
        self.register_buffer("cosine", angle.cos())
        self.register_buffer("sine", angle.sin())
        self.register_buffer("mask", torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1))

    def forward(self, index, target):
        x = self.bytes(index)
        if self.places is not None:
            x = x + self.places
        for block in self.blocks:
            x = block(x, self.mask, self.cosine, self.sine)
        logits = self.logits(self.norm(x)).float()
        return F.cross_entropy(logits.view(-1, VOCABULARY), target.view(-1))


def step(model, optimizer, bf16):
    index = torch.randint(VOCABULARY, (BATCH, LENGTH))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        loss = model(index, index)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--form", choices=["same", "gpt2"], default="same")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = Model(options.form == "same")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99))
    times, begin = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begin < options.seconds:
        at = time.perf_counter()
        loss = step(model, optimizer, options.precision == "bf16")
        times.append(time.perf_counter() - at)
        if len(times) >= 2 and time.perf_counter() - begin > 4 * options.seconds:
            break
    rest = sorted(times[1:])
    median = rest[len(rest) // 2]
    print(json.dumps({
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": len(times),
        "loss": loss,
        "seconds_per_step": median,
        "tokens_per_s": BATCH * LENGTH / median,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))
    return 0


if __name__ == "__main__":
    sys.exit(main())
