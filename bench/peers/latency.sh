#!/usr/bin/env bash
# The tables of docs/results/latency.md for one trained network.
# usage: bench/peers/latency.sh NET CODEBOOK ROWS...
#   NET: a folder of `kinglet train` with the network's weights; CODEBOOK: what it was trained with.
# Converts the weights to each of $PRECISIONS, measures each model by `kinglet bench`, and all of them beside the
# other runtimes (compare_inference.py), on one CPU. `./run bench peers` once before it builds and installs what it
# uses.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")

BUILD=$(realpath "${BUILD:-$here/../../build/release}")
VENV=${KINGLET_PEERS_VENV:-$here/../../build/peers-venv}
PRECISIONS=${PRECISIONS:-fp32 int8}
CONVERT_OPTIONS=${CONVERT_OPTIONS:-} # for all but fp32, such as rows to calibrate with; fp32-calibrated is fp32 with them
CPU=${CPU:-1}
ROUNDS=${ROUNDS:-15}
REPEAT=${REPEAT:-100000}
MINIMUM_TOKENS=${MINIMUM_TOKENS:-20}
MAX_ROWS=${MAX_ROWS:-256}

(($# >= 3)) || {
  echo "usage: latency.sh NET CODEBOOK ROWS..." >&2
  exit 2
}
net=$(realpath "$1") codebook=$2
shift 2
mapfile -t rows < <(realpath -e "$@")

# The options that the network's layout stands for (docs/command-line.md).
layout_options() {
  local layout
  layout=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["training"]["layout"])' "$net/report.json")
  [[ $layout != *-communities* ]] || printf '%s\n' --communities
  [[ $layout != *-shown* ]] || printf '%s\n' --shown-counters
  [[ $layout != *-fine_ages* ]] || printf '%s\n' --fine-ages
  [[ $layout != *-log_steps* ]] || printf '%s\n' --encoding log_steps
  [[ $layout != *-tweet_norm* ]] || printf '%s\n' --sketch-norm tweet
}

models=$(mktemp -d)
trap 'rm -rf "$models"' EXIT
mapfile -t options < <(layout_options)
peers=()
for precision in $PRECISIONS; do
  more=()
  [[ $precision == fp32 ]] || read -r -a more <<<"--precision ${precision%-calibrated} $CONVERT_OPTIONS"
  "$BUILD/kinglet" convert --weights "$net/weights.safetensors" --codebook "$codebook" \
    --languages "$net/languages.json" "${options[@]}" "${more[@]}" -o "$models/$precision.kinglet" >/dev/null
  peers+=(--model "kinglet $precision=$models/$precision.kinglet")
done

"$VENV/bin/python" "$here/compare_inference.py" "$BUILD" "$net" "${rows[@]}" "${peers[@]}" --cpu "$CPU" --rounds "$ROUNDS" \
  --minimum-tokens "$MINIMUM_TOKENS" --max-rows "$MAX_ROWS"
for precision in $PRECISIONS; do
  repeat=0
  # In fp32 it takes many minutes and says nothing that the smaller models do not say sharper.
  [[ $precision == fp32 ]] || repeat=$REPEAT
  printf '\n```\n'
  (cd "$models" && taskset -c "$CPU" "$BUILD/kinglet" bench --model "$precision.kinglet" \
    --history "$net/history.kinglet" "${rows[@]}" --different-tweets --minimum-tokens "$MINIMUM_TOKENS" \
    --max-rows "$MAX_ROWS" --repeat "$repeat" --rank 64)
  printf '```\n'
done
