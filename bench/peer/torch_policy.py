"""The policy of bench_control.c in PyTorch: features to action chunk, batch 1, one thread.

Prints p50, p99 and p99.9 in milliseconds. The features themselves are not computed here, which
favours this side."""
import math
import time

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
FEATURES, WIDTH, HIDDEN, BLOCKS, ACTION, STEPS, CALLS = 63, 256, 512, 4, 32, 2, 5000


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH, elementwise_affine=False)
        self.a = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.c = nn.Linear(WIDTH, HIDDEN)
        self.b = nn.Linear(HIDDEN, WIDTH)

    def forward(self, h, c):
        return h + self.b(nn.functional.silu(self.a(self.norm(h)) + self.c(c)))


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.observe = nn.Sequential(nn.Linear(FEATURES, 512), nn.SiLU(), nn.Linear(512, WIDTH))
        self.time = nn.Sequential(nn.Linear(64, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.condition = nn.Linear(WIDTH, WIDTH)
        self.enter = nn.Linear(ACTION, WIDTH, bias=False)
        self.blocks = nn.ModuleList([Block() for _ in range(BLOCKS)])
        self.norm = nn.LayerNorm(WIDTH, elementwise_affine=False)
        self.out = nn.Linear(WIDTH, ACTION)
        rates = 100.0 * 1000.0 ** (-torch.arange(32) / 32.0)
        angles = torch.arange(STEPS)[:, None] / STEPS * rates
        self.register_buffer("waves", torch.cat([angles.sin(), angles.cos()], 1))

    def forward(self, features, noise):
        c_all = nn.functional.silu(self.observe(features) + self.time(self.waves))
        x = noise
        for k in range(STEPS):
            c = c_all[k:k + 1]
            h = self.condition(c) + self.enter(x)
            for block in self.blocks:
                h = block(h, c)
            x = x + self.out(self.norm(h)) / STEPS
        return x


policy = Policy().eval()
features, noise = torch.randn(1, FEATURES), torch.randn(1, ACTION)
with torch.inference_mode():
    policy = torch.jit.freeze(torch.jit.trace(policy, (features, noise)))
    for _ in range(300):
        policy(features, noise)
    times = []
    for _ in range(CALLS):
        start = time.perf_counter_ns()
        policy(features, noise)
        times.append((time.perf_counter_ns() - start) * 1e-6)
times.sort()
print(*(times[math.floor(p * CALLS)] for p in (0.5, 0.99, 0.999)))
