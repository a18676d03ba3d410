"""The peer of `genba-bench language`: the same model in PyTorch, from the same first weights, on the
same batches. Reads the folder the benchmark wrote; prints "step loss" lines."""
import json
import pathlib
import sys

import numpy
import torch
import torch.nn.functional as F

folder = pathlib.Path(sys.argv[1])
setting = json.loads((folder / "setting.json").read_text())
torch.set_num_threads(setting["threads"])
BATCH, LENGTH, WIDTH = setting["batch"], setting["length"], setting["width"]
HEADS, KV = setting["heads"], setting["kv_heads"]
HEAD_DIM = WIDTH // HEADS


def load(path):
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    tensors = {}
    for name, entry in json.loads(raw[8:8 + size]).items():
        if name == "__metadata__" or name.startswith("stats."):
            continue
        begin, end = entry["data_offsets"]
        array = numpy.frombuffer(raw, numpy.float32, (end - begin) // 4, 8 + size + begin)
        tensors[name] = torch.nn.Parameter(torch.tensor(array.reshape(entry["shape"])))
    return tensors


w = load(folder / "initial.safetensors")
angle = torch.arange(LENGTH)[:, None] * setting["theta"] ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
COS, SIN = angle.cos(), angle.sin()
MASK = torch.full((LENGTH, LENGTH), float("-inf")).triu(1)


def rms(x, weight):
    return x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6) * weight


def rotate(x):
    a, b = x[..., :HEAD_DIM // 2], x[..., HEAD_DIM // 2:]
    return torch.cat([a * COS - b * SIN, b * COS + a * SIN], -1)


def attention(x, name):
    batch = x.shape[0]
    qkv = F.linear(x, w[name + ".qkv.weight"]).view(batch, LENGTH, HEADS + 2 * KV, HEAD_DIM)
    q, k, v = qkv.transpose(1, 2).split([HEADS, KV, KV], 1)
    norm = w[name + ".head_norm.weight"]
    q, k = rotate(rms(q, norm[0])), rotate(rms(k, norm[1]))
    k, v = (t.repeat_interleave(HEADS // KV, 1) for t in (k, v))
    scores = (q @ k.transpose(-1, -2)) / HEAD_DIM ** 0.5 + MASK
    y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, LENGTH, WIDTH)
    return F.linear(y, w[name + ".out.weight"])


def loss_of(tokens, targets):
    x = F.embedding(tokens, w["codec.bytes"])
    for i in range(setting["blocks"]):
        name = f"block.{i}"
        x = x + attention(rms(x, w[name + ".norm.weight"]), name)
        gate, up = F.linear(rms(x, w[name + ".ffn_norm.weight"]), w[name + ".ffn.in.weight"]).chunk(2, -1)
        x = x + F.linear(F.silu(gate) * up, w[name + ".ffn.out.weight"])
    logits = F.linear(rms(x, w["norm.weight"]), w["head.logits.weight"])
    return F.cross_entropy(logits.view(-1, 256).float(), targets.reshape(-1))


def validate():
    rows = numpy.fromfile(folder / "held_out.f32", numpy.float32).reshape(-1, LENGTH + 1)
    rows = torch.tensor(rows.astype(numpy.int64))
    with torch.no_grad():
        losses = [loss_of(r[:, :-1], r[:, 1:]) for r in rows.split(BATCH)]
    return float(sum(losses) / len(losses))


# Decay is for matrices: not for norms.
decayed = [p for n, p in w.items() if p.dim() >= 2 and "norm" not in n]
rest = [p for n, p in w.items() if not (p.dim() >= 2 and "norm" not in n)]
optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": setting["decay"]},
                               {"params": rest, "weight_decay": 0.0}],
                              betas=(setting["beta1"], setting["beta2"]), eps=setting["epsilon"])
batches = numpy.fromfile(folder / "batches.i32", numpy.int32).reshape(-1, 2, BATCH, LENGTH)
for step in range(setting["steps"] + 1):
    if step % setting["every"] == 0:
        print(step, validate(), flush=True)
    if step == setting["steps"]:
        break
    for group in optimizer.param_groups:
        group["lr"] = setting["rate"] * setting["factors"][step]
    tokens, targets = torch.tensor(batches[step].astype(numpy.int64))
    with torch.autocast("cpu", torch.bfloat16, enabled=setting["bf16"]):
        loss = loss_of(tokens, targets)
    optimizer.zero_grad()
    loss.backward()
    if setting["clip"]:
        torch.nn.utils.clip_grad_norm_(list(w.values()), setting["clip"])
    optimizer.step()
