#!/usr/bin/env bash
# clang-tidy on the sources that differ from a base (default: the last commit on main that is not HEAD's own; all with BASE=).
# usage: scripts/tidy.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?build folder with compile_commands.json}
base=${BASE-HEAD~1}
if [[ -n $base ]]; then
  mapfile -t files < <(git diff --name-only --diff-filter=d "$base" -- '*.cpp' | grep -v '^tests/' || true)
else
  mapfile -t files < <(git ls-files '*.cpp' | grep -v '^tests/')
fi
((${#files[@]})) || { echo "tidy: nothing to look at"; exit 0; }
# GCC's precompiled header means nothing to clang; the flag that names it is taken out.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -E 's/-Winvalid-pch//g; s#-include [^ ]*cmake_pch\.hxx#-include '"$PWD"'/worker/torch_pch.hpp#g' "$build/compile_commands.json" >"$folder/compile_commands.json"
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy -p "$folder" --quiet
