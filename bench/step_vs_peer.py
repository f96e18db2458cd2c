#!/usr/bin/env python3
"""The SimCLR training step of Entrain beside a PyTorch peer's, in one run, in alternating blocks.

Entrain runs as its user runs it: `mpirun -n W entrain pretrain` on an HDF5 file, views made from the images, metrics
taken from metrics.jsonl. The peer (peer_step.py: timm BiT + lightly NTXentLoss + LARS, eager) gets views ready-made in
memory, so its figure leaves out reading and augmenting. Both: the same pairs per step, the same number of cores.

needs Python packages: torch==2.13.0 timm==1.0.31 lightly==1.6.0 h5py numpy; `entrain` and `mpirun` in PATH.
usage: step_vs_peer.py --peer PATH/peer_step.py [--px 96] [--pairs 32] [--blocks 3] [--steps 6] [--mode fp32]
"""
import argparse, json, os, pathlib, shutil, statistics, subprocess, sys, tempfile

p = argparse.ArgumentParser()
p.add_argument("--peer", required=True)
p.add_argument("--px", type=int, default=96)
p.add_argument("--pairs", type=int, default=32)
p.add_argument("--lanes", type=int, default=4)
p.add_argument("--blocks", type=int, default=3)
p.add_argument("--steps", type=int, default=6)
p.add_argument("--warm", type=int, default=2)
p.add_argument("--mode", default="fp32")
p.add_argument("--model", default="r50x1")
a = p.parse_args()

import h5py, numpy as np

cores = len(os.sched_getaffinity(0))
work = pathlib.Path(tempfile.mkdtemp(prefix="entrain-bench-"))
with h5py.File(work / "noise.h5", "w") as f:
    f["images"] = np.random.default_rng(0).integers(0, 256, (max(4 * a.pairs, 64), a.px, a.px, 3), dtype=np.uint8)
env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_btl_tcp_if_include="lo")


def entrain(ranks, numerics):
    run = work / f"run-{ranks}-{numerics}"
    shutil.rmtree(run, ignore_errors=True)
    done = subprocess.run(
        ["mpirun", "-n", str(ranks), "--bind-to", "none", "--oversubscribe", "entrain", "pretrain", "configs/pretrain_r50.yaml", f"run.dir={run}",
         f"data.files={work}/noise.h5", f"model.name=bit_{a.model}", f"views.crop_pixels={a.px}", f"train.steps={a.warm + a.steps}",
         f"batch.lanes={a.lanes}", f"batch.lane_images={a.pairs // a.lanes}", "checkpoint.every=1000000steps", f"run.numerics={numerics}"],
        env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    steps = [json.loads(line) for line in open(run / "metrics.jsonl")]
    return a.pairs / statistics.median(s["step_s"] for s in steps[a.warm:])


def peer():
    out = subprocess.run([sys.executable, a.peer, "--px", str(a.px), "--pairs", str(a.pairs), "--mode", a.mode, "--threads", str(cores),
                          "--steps", str(a.steps), "--warm", str(a.warm), "--model", f"resnetv2_{a.model[1:]}_bit"],
                         capture_output=True, text=True, check=True, env=dict(os.environ, OMP_NUM_THREADS=str(cores)))
    return json.loads(out.stdout.splitlines()[-1])["pairs_per_s"]


rows = {"peer " + a.mode: peer, "entrain strict, 1 rank": lambda: entrain(1, "strict"), f"entrain strict, {cores} ranks": lambda: entrain(cores, "strict"),
        "entrain fast, 1 rank": lambda: entrain(1, "fast")}
seen = {name: [] for name in rows}
for block in range(a.blocks):
    for name, f in rows.items():
        seen[name].append(f())
base = seen["peer " + a.mode]
print(f"{a.model} {a.px} px, {a.pairs} pairs a step, {cores} cores, {a.blocks} alternating blocks of {a.steps} steps")
for name, values in seen.items():
    ratios = sorted(v / b for v, b in zip(values, base))
    print(f"{name:28s} {statistics.median(values):8.2f} pairs/s  ({2 * statistics.median(values):8.1f} views/s)"
          f"   x{statistics.median(ratios):.2f} of the peer  ({ratios[0]:.2f} to {ratios[-1]:.2f})")
shutil.rmtree(work)
