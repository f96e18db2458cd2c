#!/usr/bin/env python3
"""Does the alpha-beta model predict the step time of real training over slow links?

Ranks run in network namespaces of this machine, joined by slow_links (ninja slow_links), which gives what each rank
sends a latency and a rate, as tc's netem does, on kernels that have no netem, too. In each setting `entrain bench
collectives` fits the links, and `entrain pretrain` is timed; the prediction is what a step computes (its time without
delays, less the calls as fitted there) plus what it sends (the calls that `entrain plan --cluster` counts, as fitted in
that setting). Needs root, iproute2, Open MPI and an idle machine; touches nothing outside its namespaces and removes
them.

    ninja -C build/release slow_links
    PATH=build/release/bin:$PATH bench/alpha_beta_model.py --ranks 2,3,4

Exit code 0: all within --tolerance; 1: not; 69: this machine cannot do it.
"""
import argparse
import atexit
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SUBNET = "10.77.0"
OVERRIDES = ["views.crop_pixels=32", "batch.lanes=4", "batch.lane_images=8", "data.use_splits=[]",
             "checkpoint.every=1000000steps", "checkpoint.prove=off", "schedule.warmup_steps=2", "run.threads=1"]


def sh(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


class Links:
    """One namespace per rank, joined by one slow_links."""

    def __init__(self, ranks):
        tag = f"ent{os.getpid()}"
        self.names = [f"{tag}r{i}" for i in range(ranks)]
        atexit.register(self.remove)
        for name in self.names:
            sh("ip", "netns", "add", name)
            sh("ip", "netns", "exec", name, "ip", "link", "set", "lo", "up")
            # bbr, the default of some, probes for a rate of its own, for seconds: no straight line in bytes.
            sh("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.tcp_congestion_control=reno",
               "net.ipv4.tcp_slow_start_after_idle=0")
        self.joined = subprocess.Popen(["slow_links", *self.names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.shape(Setting("none"))

    def shape(self, setting):
        """On what each rank sends."""
        self.joined.stdin.write(f"{setting.ms * 1000} {setting.rate}\n")
        self.joined.stdin.flush()
        if self.joined.stdout.readline() != "ok\n":
            sys.exit(f"slow_links ended with {self.joined.wait()}")

    def remove(self):
        self.joined.stdin.close()
        self.joined.wait()
        for name in self.names:
            sh("ip", "netns", "del", name, check=False)


class Setting:
    def __init__(self, text):
        if text == "none":
            self.ms, self.rate = 0.0, 0
        else:
            latency, rate = text.split("/")
            self.ms, self.rate = float(latency.removesuffix("ms")), int(rate.removesuffix("mbit"))
        self.text = text


class Bench:
    def __init__(self, folder, ranks, args):
        self.folder, self.ranks, self.args, self.count = folder, ranks, args, 0
        self.links = Links(ranks)
        self.agent = folder / f"agent{ranks}"  # mpirun starts its daemons through this in place of ssh
        names = " ".join(self.links.names)
        self.agent.write_text("#!/bin/sh\n"
                              f"ns=$(echo {names} | cut -d' ' -f${{1##*.}}); shift\n"
                              'exec ip netns exec "$ns" unshare --uts sh -c "hostname $ns; $*"\n')
        self.agent.chmod(0o755)

    def mpirun(self, *words):
        hosts = ",".join(f"{SUBNET}.{i + 1}:1" for i in range(self.ranks))
        mca = {"btl": "tcp,self", "pml": "ob1", "btl_tcp_if_include": f"{SUBNET}.0/24",
               "oob_tcp_if_include": f"{SUBNET}.0/24", "plm_rsh_agent": str(self.agent),
               "mpi_yield_when_idle": str(int(self.ranks > (os.cpu_count() or 1)))}
        command = ["mpirun", "--allow-run-as-root", "-n", str(self.ranks), "--host", hosts, "--map-by", "ppr:1:node",
                   "--bind-to", "none", "-x", "PATH", "-x", "OMP_NUM_THREADS=1"]
        for key, value in mca.items():
            command += ["--mca", key, value]
        first = self.links.names[0]
        done = subprocess.run(["ip", "netns", "exec", first, "unshare", "--uts", "sh", "-c",
                               f'hostname {first}; exec "$@"', "sh", *command, *words],
                              capture_output=True, text=True, timeout=500)
        if done.returncode:
            sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def step_seconds(self, config, overrides):
        """Of each step but the first three."""
        self.count += 1
        run = self.folder / f"run{self.ranks}.{self.count}"
        self.mpirun("entrain", "pretrain", config, *overrides, f"run.dir={run}", f"train.steps={self.args.steps + 3}")
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        shutil.rmtree(run)
        return [line["step_s"] for line in lines if "step_s" in line][3:]

    def fits(self):
        return json.loads(self.mpirun("entrain", "bench", "collectives", "--json", "--seconds", str(self.args.seconds)))


def sent_seconds(calls, fitted):
    """What the calls of a step take by the fitted lines."""
    total = 0.0
    for call in calls:
        lines = [f for f in fitted["fits"] if f["operation"] == call["operation"] and f["from_bytes"] <= call["bytes"]]
        fit = max(lines, key=lambda f: f["from_bytes"])
        total += call["times"] * (fit["alpha_s"] * fit["hops"] + fit["s_per_byte"] * fit["share"] * call["bytes"])
    return total


def step_calls(config, overrides, ranks, numerics):
    plan = json.loads(sh("entrain", "plan", config, *overrides, "train.steps=10", "--json", "--cluster",
                         f"nodes={ranks},gpus=1").stdout)
    return next(r["calls"] for r in plan["cluster"]["rows"] if r["gpus"] == ranks and r["numerics"] == numerics)


def measure(ranks, settings, config, overrides, folder, args):
    bench = Bench(folder, ranks, args)
    calls = step_calls(config, overrides, ranks, args.numerics)
    blocks = []
    for block in range(args.blocks):  # interleaved: what else the machine does meets all settings alike
        blocks.append({})
        for setting in settings:
            bench.links.shape(setting)
            fitted = bench.fits()
            step, sent = statistics.median(bench.step_seconds(config, overrides)), sent_seconds(calls, fitted)
            blocks[-1][setting.text] = (step, sent, fitted["worst"])
            print(f"  block {block + 1}, {ranks} ranks, {setting.text}: step {step:.4f} s, calls {sent:.4f} s, load "
                  f"{os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    bench.links.remove()
    rows = []
    for setting in settings[1:]:
        found = []
        for block in blocks:  # each block against its own undelayed run
            computes = block["none"][0] - block["none"][1]
            step, sends, worst = block[setting.text]
            found.append((computes, sends, computes + sends, step, (computes + sends) / step - 1, worst))
        rows.append((ranks, setting.text, *(statistics.median(column) for column in zip(*found))))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", default="2,3,4")
    parser.add_argument("--settings", default="0.2ms/1000mbit,1ms/1000mbit,5ms/200mbit",
                        help="latency (one way) and rate of each rank's link")
    parser.add_argument("--numerics", default="strict", choices=["strict", "fast"])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20, help="of each bench collectives")
    parser.add_argument("--tolerance", type=float, default=0.10)
    args = parser.parse_args()
    if os.geteuid() or not all(map(shutil.which, ("ip", "unshare", "mpirun", "entrain", "slow_links"))):
        print("alpha_beta_model: needs root, iproute2, mpirun, and entrain and slow_links in PATH", file=sys.stderr)
        return 69
    for caught in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(caught, lambda number, _: sys.exit(128 + number))
    settings = [Setting(text) for text in ["none"] + args.settings.split(",")]
    folder = Path(tempfile.mkdtemp(prefix="entrain-links-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sh("entrain", "ingest", "phantom", "--out", str(folder / "corpus.h5"), "--images", "256", "--px", "32", "--seed", "1")
    config = str(Path(__file__).resolve().parent.parent / "configs" / "demo.yaml")
    overrides = OVERRIDES + [f"data.files={folder / 'corpus.h5'}", f"run.numerics={args.numerics}"]
    print(f"{'ranks':>5} {'setting':>16} {'computes s':>11} {'sends s':>9} {'predicted s':>12} {'measured s':>11} "
          f"{'off by':>8} {'worst fit':>10}")
    largest = 0.0
    for ranks in map(int, args.ranks.split(",")):
        for row in measure(ranks, settings, config, overrides, folder, args):
            print("{:>5} {:>16} {:>11.4f} {:>9.4f} {:>12.4f} {:>11.4f} {:>8.1%} {:>10.0%}".format(*row), flush=True)
            largest = max(largest, abs(row[6]))
    print(f"largest error of a predicted step {largest:.1%}, want at most {args.tolerance:.0%}")
    return 0 if largest <= args.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
