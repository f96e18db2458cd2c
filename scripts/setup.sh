#!/usr/bin/env bash
# Installs what Entrain needs: Debian packages (as root or by sudo) and LibTorch from PyPI into .deps/. Says what it does;
# does nothing where all is there. `setup.sh cuda`: also the CUDA libraries that LibTorch's GPU half needs.
set -euo pipefail
cd "$(dirname "$0")/.."

torch_version=2.13.0
packages=(build-essential cmake ninja-build ccache lld pkg-config git clang-format clang-tidy python3 python3-pip
  libopenmpi-dev openmpi-bin libhdf5-dev libyaml-cpp-dev libboost-dev libcli11-dev nlohmann-json3-dev libssl-dev
  libxxhash-dev libturbojpeg0-dev libpng-dev libdeflate-dev liblz4-dev libzstd-dev libblosc-dev
  libgtest-dev libgmock-dev)
# `setup.sh tests`: also what only some tests need (a real Slurm, promtool), where the cluster that they run on is there.
if [[ ${1:-} == tests && -d ../shared/slurm-lab ]]; then packages+=(slurm-wlm munge libpmix-dev prometheus); fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if ((${#missing[@]})); then
  as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || { echo "setup: run as root, install sudo, or install these packages: ${missing[*]}" >&2; exit 69; }
    as_root=(sudo)
  fi
  echo "setup: installing Debian packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# The wheel's CPU libraries are all a CPU build links; the two CUDA packages only satisfy names that libtorch_cpu carries.
stamp=.deps/torch/.entrain-$torch_version
if [[ ! -e $stamp && -z ${LIBTORCH_ROOT:-} ]]; then
  echo "setup: installing LibTorch $torch_version from PyPI into .deps/torch (1.2 GB)"
  rm -rf .deps/torch .deps/torch.part
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --only-binary=:all: \
    --python-version 3.11 --target .deps/torch.part \
    "torch==$torch_version" nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85
  mv .deps/torch.part .deps/torch
  touch "$stamp"
fi

# What the wheel itself asks for, beside it: its libraries look there. 13.0.3 is the toolkit, 2.29.7 the NCCL of torch 2.13.0.
cuda_stamp=.deps/torch/.entrain-cuda-13.0.3
if [[ ${1:-} == cuda && ! -e $cuda_stamp && -z ${LIBTORCH_ROOT:-} ]]; then
  echo "setup: installing CUDA 13.0, cuDNN and NCCL libraries from PyPI into .deps/torch (4 GB)"
  rm -rf .deps/cuda.part
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --only-binary=:all: \
    --target .deps/cuda.part \
    "cuda-toolkit[cublas,cudart,cufft,cufile,cupti,curand,cusolver,cusparse,nvjitlink,nvrtc,nvtx]==13.0.3" \
    nvidia-cudnn-cu13==9.20.0.48 nvidia-cusparselt-cu13==0.8.1 nvidia-nccl-cu13==2.29.7 nvidia-nvshmem-cu13==3.4.5
  cp -a --link --force .deps/cuda.part/nvidia .deps/torch/
  rm -rf .deps/cuda.part
  touch "$cuda_stamp"
fi
