#!/usr/bin/env bash
# The whole of Entrain on a procedural corpus: ingest -> pretrain on 2 ranks -> fine-tune at few labels -> evaluate -> table and page.
# usage: scripts/demo.sh [FOLDER]       (default runs/demo; made anew). `entrain` and `mpirun` must be in PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/demo}
rm -rf "$out"
mkdir -p "$out"
if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
export OMPI_MCA_btl_tcp_if_include=lo
on_two_ranks=(mpirun -n 2 --oversubscribe)
say() { printf '\n== %s\n' "$*"; }

say "A corpus: 1536 phantom radiographs of two scanners, in HDF5"
entrain ingest phantom --out "$out/demo.h5" --images 1536 --px 64 --seed 1
entrain inspect "$out/demo.h5"

say "What will happen"
entrain plan configs/demo.yaml run.dir="$out/pretrain" data.files="$out/demo.h5"

say "SimCLR on 2 ranks: no labels, every image of both ranks is a negative"
"${on_two_ranks[@]}" entrain pretrain configs/demo.yaml run.dir="$out/pretrain" data.files="$out/demo.h5"
entrain verify "$out/pretrain"

say "A linear classifier on few labels: on the pretrained encoder, and on the same network from scratch"
evaluated=()
for init in pretrained scratch; do
  from=$out/pretrain
  [[ $init == scratch ]] && from=scratch
  for fraction in 0.1 0.3 1; do
    for repeat in 0 1; do
      run=$out/$init-$fraction-$repeat
      "${on_two_ranks[@]}" entrain finetune configs/finetune_demo.yaml run.dir="$run" init.from="$from" data.files="$out/demo.h5" \
        finetune.mode=linear finetune.label_fraction=$fraction finetune.repeat=$repeat >"$run.log" 2>&1 || { cat "$run.log" >&2; exit 1; }
      entrain evaluate configs/evaluate_demo.yaml run.dir="$run/test" init.from="$run" data.files="$out/demo.h5" >>"$run.log" 2>&1 || { cat "$run.log" >&2; exit 1; }
      evaluated+=("$run/test")
      printf '.'
    done
  done
done
printf '\n'

say "The answer"
entrain report "${evaluated[@]}" --out "$out/report.html"
echo
echo "The page: $PWD/$out/report.html"
