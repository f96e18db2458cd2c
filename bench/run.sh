#!/usr/bin/env bash
# The benchmarks that this machine can run; each prints ratios to a peer or a physical limit taken in one run.
set -euo pipefail
cd "$(dirname "$0")/.."
peer=${ENTRAIN_PEERS:-../shared/peers}/peer_step.py
python=${PYTHON:-python3}
if [[ ! -e $peer ]]; then
  echo "bench: no peer at $peer; set ENTRAIN_PEERS to a folder with peer_step.py (see bench/README.md)" >&2
  exit 69
fi
if ! "$python" -c 'import torch, timm, lightly, h5py' 2>/dev/null; then
  echo "bench: $python lacks torch, timm, lightly or h5py; set PYTHON to one that has them (see bench/README.md)" >&2
  exit 69
fi
"$python" bench/step_vs_peer.py --peer "$peer" --px 32 --pairs 64 "$@"
"$python" bench/step_vs_peer.py --peer "$peer" --px 96 --pairs 32 "$@"
