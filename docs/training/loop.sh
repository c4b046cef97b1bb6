#!/usr/bin/env bash
# The loop of demonstrations, training, DAgger and judgement, for one GPU and 16 cores. Every step takes at most about 9 minutes
# and goes on from what lies in the folder; a step that says "again" is called once more.
#
#   loop.sh record     demonstrations of the scripted expert, with noise
#   loop.sh train      a small model from scratch on them
#   loop.sh dagger     the newest model plays, the expert labels
#   loop.sh improve    the newest model is trained further on all data
#   loop.sh judge      the newest model on held-out placements
#
# dagger and improve may be repeated. Settings are environment variables:
#   OUT=results/loop TASK=widowx_carrot_on_plate TRACE=0 COUNT=896 ROUND=448 STEPS=3000 MORE=1500 BATCH=256 SEED=0 JUDGED=112
#   DEVICE=auto BETA=0.3 MINUTES=7 INIT=small RUN="simpler-eval"
set -euo pipefail

OUT=${OUT:-results/loop} TASK=${TASK:-widowx_carrot_on_plate} TRACE=${TRACE:-0} COUNT=${COUNT:-896} ROUND=${ROUND:-448}
STEPS=${STEPS:-3000} MORE=${MORE:-1500} BATCH=${BATCH:-256} SEED=${SEED:-0} JUDGED=${JUDGED:-112} DEVICE=${DEVICE:-auto}
BETA=${BETA:-0.3} MINUTES=${MINUTES:-7} INIT=${INIT:-small} RUN=${RUN:-simpler-eval}
RATE=${RATE:-6e-4} LOWER=${LOWER:-3e-4}
POLICY=openvla_phi3 TRACEVLA=()
if [ "$TRACE" = 1 ]; then POLICY=tracevla_phi3 TRACEVLA=(--tracevla); fi
read -r -a EVAL <<< "$RUN"
mkdir -p "$OUT"

newest() { # the last checkpoint of the last training that is complete
    local found=""
    local number
    for ((number = 0; number < $(rounds train); number++)); do
        if [ -f "$OUT/train-$number/complete" ]; then found=$(cat "$OUT/train-$number/complete"); fi
    done
    [ -n "$found" ] || { echo "loop.sh: nothing is trained yet; begin with: loop.sh train" >&2; exit 2; }
    echo "$found"
}

rounds() { find "$OUT" -maxdepth 1 -name "$1-*" -type d | wc -l; }

traced() { # annotate the dataset of a recording, where traces are wanted
    local dataset="$OUT/$1/dataset/widowx"
    [ -d "$dataset" ] || dataset="$OUT/$1/dataset/google_robot"
    if [ "$TRACE" = 1 ]; then
        "${EVAL[@]}" annotate-traces "$dataset" --device "$DEVICE" >&2
        dataset="$dataset-traces"
    fi
    echo "$dataset" > "$OUT/$1/dataset.txt"
}

data() { # options that name all datasets
    for file in "$OUT"/demos/dataset.txt "$OUT"/dagger-*/dataset.txt; do
        if [ -f "$file" ]; then printf -- '--dataset\n%s\n' "$(cat "$file")"; fi
    done
}

training() { # training NAME ARGUMENTS...: begin it, or go on
    local folder="$OUT/$1"; shift
    if [ -f "$folder/options.json" ]; then
        "${EVAL[@]}" train --resume "$folder" --stop-after "$MINUTES" --json > "$folder.json"
    else
        mapfile -t datasets < <(data)
        "${EVAL[@]}" train "$@" "${datasets[@]}" "${TRACEVLA[@]}" --out "$folder" --frames "$OUT/frames" --batch-size "$BATCH" \
            --schedule cosine --warmup-steps 100 --wd 0.05 --image-aug --seed "$SEED" --log-steps 50 --save-steps 100000 \
            --stop-after "$MINUTES" --device "$DEVICE" --json > "$folder.json"
    fi
    if grep -q '"complete": true' "$folder.json"; then
        sed -n 's/.*"checkpoint": "\(.*\)",.*/\1/p' "$folder.json" > "$folder/complete"
    else
        echo "loop.sh: not complete yet; call this step again"
    fi
}

case "${1:-}" in
    record)
        "${EVAL[@]}" record --task "$TASK" --count "$COUNT" --disturb 0,0.08,0.15,0.25 --out "$OUT/demos"
        traced demos ;;
    train)
        training train-0 --init "$INIT" --learning-rate "$RATE" --max-steps "$STEPS" ;;
    dagger)
        checkpoint=$(newest)
        number=$(rounds dagger)
        "${EVAL[@]}" record --task "$TASK" --count "$ROUND" --seed $((COUNT + number * ROUND)) --policy "$POLICY" \
            --checkpoint "$checkpoint" --beta "$BETA" --device "$DEVICE" --out "$OUT/dagger-$number"
        traced "dagger-$number" ;;
    improve)
        checkpoint=$(newest)
        last=$(($(rounds train) - 1))
        if [ -f "$OUT/train-$last/complete" ]; then last=$((last + 1)); fi
        training "train-$last" --checkpoint "$checkpoint" --keep-statistics --learning-rate "$LOWER" --max-steps "$MORE" ;;
    judge)
        checkpoint=$(newest)
        "${EVAL[@]}" run --task "$TASK" --policy "$POLICY" --checkpoint "$checkpoint" --placements heldout --count "$JUDGED" \
            --device "$DEVICE" --out "$OUT/judged-$(basename "$(dirname "$checkpoint")")" ;;
    *)
        sed -n '2,14p' "$0" | sed 's/^# \{0,1\}//'; exit 2 ;;
esac
