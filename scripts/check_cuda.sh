#!/usr/bin/env bash
# Whether the programs of a build for GPUs are whole: no library or symbol is missing, NCCL is the one that LibTorch loads, and
# a machine without a GPU gets a line that helps.
set -euo pipefail
bin=$1

missing=$(ldd -r "$bin/entrain-worker" 2>&1 | grep -E 'not found|undefined symbol' || true)
if [[ -n $missing ]]; then
  echo "check_cuda: $bin/entrain-worker is not whole:" >&2
  echo "$missing" >&2
  exit 1
fi
if (($(ldd "$bin/entrain-worker" | grep -c libnccl) != 1)); then
  echo "check_cuda: more or less than one NCCL is loaded:" >&2
  ldd "$bin/entrain-worker" | grep libnccl >&2
  exit 1
fi
versions=$("$bin/entrain-worker" versions)
echo "check_cuda: all symbols are resolved; $versions"
if [[ ! -e /proc/driver/nvidia/version ]]; then
  said=$("$bin/entrain" pretrain configs/demo.yaml run.device=cuda run.dir=none 2>&1) && code=0 || code=$?
  if ((code != 78)); then
    echo "check_cuda: without a driver, run.device=cuda ends with $code, not 78: $said" >&2
    exit 1
  fi
  echo "check_cuda: without a driver: ${said##*error: }"
fi
