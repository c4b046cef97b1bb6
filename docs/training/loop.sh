#!/usr/bin/env bash
# The loop of demonstrations, training, DAgger and judgement, for one GPU and 16 cores. Every step ends after about MINUTES and
# goes on from what lies in the folder, whatever ended it; one that is not done yet says "again" and leaves with code 75.
#
#   loop.sh record     demonstrations of the scripted expert, with noise
#   loop.sh train      a small model from scratch on them
#   loop.sh dagger     the newest model plays, the expert labels: one round more
#   loop.sh improve    the newest model is trained further on all data
#   loop.sh round      both at the same time: the newest model plays, and is trained further on the data of the rounds before
#   loop.sh judge      the newest model on held-out placements
#   loop.sh curve      the model of every training on CURVE of them: a table and a plot, curve/checkpoints.png
#   loop.sh keep DIR   numbers, and the newest model, a small one in 4 files below 16 MiB (cat model.tar.* | tar x)
#
# dagger, improve and round may be repeated. The numbers of each step are a line of $FOLDER/results.jsonl. Settings are environment
# variables (DEMOS: a recording that several loops share; ALSO: folders of recordings to train on besides, such as rounds of DAgger
# of another loop; AUGMENT=1: images are cropped and coloured at random, which the policy that plays does not do; SHIFT: share of
# their side by which they are shifted at random; MODEL: number of the training, for judge and dagger; ARGS: more options of
# record and run):
#   FOLDER=results/loop TASK=widowx_carrot_on_plate TRACE=0 COUNT=896 ROUND=300 STEPS=3500 MORE=1300 BATCH=128 SEED=0 JUDGED=112
#   CURVE=48 DEVICE=auto BETA=0.3 MINUTES=7 INIT=small RATE=5e-4 LOWER=2.5e-4 HELD_OUT=0.05 AUGMENT=0 SHIFT=0 SAVE=1500
#   RUN="simpler-eval" DEMOS=$FOLDER/demos ALSO= MODEL= ARGS=
set -euo pipefail

FOLDER=${FOLDER:-results/loop} TASK=${TASK:-widowx_carrot_on_plate} TRACE=${TRACE:-0} COUNT=${COUNT:-896} ROUND=${ROUND:-300}
STEPS=${STEPS:-3500} MORE=${MORE:-1300} BATCH=${BATCH:-128} SEED=${SEED:-0} JUDGED=${JUDGED:-112} DEVICE=${DEVICE:-auto}
BETA=${BETA:-0.3} MINUTES=${MINUTES:-7} INIT=${INIT:-small} RATE=${RATE:-5e-4} LOWER=${LOWER:-2.5e-4} HELD_OUT=${HELD_OUT:-0.05}
AUGMENT=${AUGMENT:-0} SHIFT=${SHIFT:-0} SAVE=${SAVE:-1500} MODEL=${MODEL:-} CURVE=${CURVE:-48}
DEMOS=${DEMOS:-$FOLDER/demos}
refused() { echo "loop.sh: $1" >&2; exit 2; }
for name in COUNT ROUND STEPS MORE BATCH SEED JUDGED CURVE SAVE; do
    [[ ${!name} =~ ^(0|[1-9][0-9]{0,8})$ ]] || refused "$name=${!name} is no whole number"
done
for name in TRACE AUGMENT; do
    [[ ${!name} =~ ^[01]$ ]] || refused "$name=${!name} must be 0 or 1"
done
[[ $MINUTES =~ ^[0-9]{1,6}(\.[0-9]+)?$|^\.[0-9]+$ ]] || refused "MINUTES=$MINUTES is no number of minutes"
ALLOWED=$(awk -v minutes="$MINUTES" 'BEGIN { print int(60 * minutes) }') # seconds; the shell knows whole numbers alone
[ "$ALLOWED" -gt 5 ] || refused "MINUTES=$MINUTES is too short for anything; give more than 0.1"
POLICY=openvla_phi3 TRACEVLA=() DATASET=dataset.txt
if [ "$TRACE" = 1 ]; then POLICY=tracevla_phi3 TRACEVLA=(--tracevla) DATASET=traces.txt; fi
AUGMENTED=(--image-shift "$SHIFT")
if [ "$AUGMENT" = 1 ]; then AUGMENTED+=(--image-aug); fi
read -r -a EVAL <<< "${RUN:-simpler-eval}"
read -r -a MORE_ARGS <<< "${ARGS:-}"
read -r -a OTHERS <<< "${ALSO:-}"
AGAIN=75 BEGAN=$SECONDS
[ $# = 0 ] || mkdir -p "$FOLDER"

again() { echo "loop.sh: not done yet; call this step again" >&2; exit "$AGAIN"; } # stdout may be a file of results

limited() { # a command for the minutes that are left of the step; an episode that errored does not end the loop
    local left=$((ALLOWED - SECONDS + BEGAN)) code=0
    [ "$left" -gt 5 ] || again
    timeout --foreground --signal=INT --kill-after=60 "$left" "${EVAL[@]}" "$@" || code=$?
    case $code in
        0) ;;
        1) echo "loop.sh: some episodes errored; the loop goes on without them" >&2 ;;
        124|137) again ;;
        *) exit "$code" ;;
    esac
}

note() { # note NAME FILE: the JSON object in a file becomes a line of the results
    printf '{"step": "%s", "seconds": %s, "said": %s}\n' "$1" $((SECONDS - BEGAN)) "$(tr -d '\n' < "$2")" >> "$FOLDER/results.jsonl"
}

newest() { # the checkpoint of the last training that is complete, or of MODEL
    local number path
    number=${MODEL:-$(($(following train complete) - 1))}
    path="$FOLDER/train-$number/complete"
    [ -s "$path" ] || refused "no such model is trained yet; begin with: loop.sh train"
    cat "$path"
}

put() { # put FILE: what comes in becomes a file that is whole, whenever somebody looks
    cat > "$1.part"
    mv "$1.part" "$1"
}

following() { # following NAME FILE: number of the round that is to be begun, or gone on with
    local number=0
    while [ -f "$FOLDER/$1-$number/$2" ]; do number=$((number + 1)); done
    echo "$number"
}

recorded() { # recorded FOLDER NAME ARGUMENTS...: record, and draw traces where they are wanted
    local folder=$1 name=$2 dataset; shift 2
    if [ ! -f "$folder/dataset.txt" ]; then
        limited record --task "$TASK" "$@" "${MORE_ARGS[@]}" --json --out "$folder" > "$folder.json"
        dataset=$(find "$folder/dataset" -mindepth 1 -maxdepth 1 -type d ! -name '*-traces' ! -name '.*' 2> /dev/null || true)
        [ -n "$dataset" ] || refused "$folder holds no dataset, since no episode succeeded; raise COUNT, or remove it and begin anew"
        [ -d "$dataset" ] || refused "$folder holds several datasets, and one can be used: ${dataset//$'\n'/, }"
        grep -qs "\"step\": \"$name\"" "$FOLDER/results.jsonl" || note "$name" "$folder.json" # killed just behind it, once
        put "$folder/dataset.txt" <<< "$dataset"
    fi
    dataset=$(cat "$folder/dataset.txt")
    if [ "$TRACE" = 1 ] && [ ! -f "$folder/traces.txt" ]; then
        limited annotate-traces "$dataset" --device "$DEVICE" >&2
        put "$folder/traces.txt" <<< "$dataset-traces"
    fi
}

trained() { # trained NUMBER ARGUMENTS...: begin a training, or go on with it
    local folder="$FOLDER/train-$1" file datasets=(); shift
    if [ -f "$folder/options.json" ]; then
        "${EVAL[@]}" train --resume "$folder" --stop-after "$MINUTES" --json > "$folder.json"
    else
        for file in "$DEMOS/$DATASET" "${OTHERS[@]/%//$DATASET}" "$FOLDER"/dagger-*/"$DATASET"; do
            if [ -f "$file" ]; then datasets+=(--dataset "$(cat "$file")"); fi
        done
        "${EVAL[@]}" train "$@" "${datasets[@]}" "${TRACEVLA[@]}" --out "$folder" --frames "$DEMOS-frames" --batch-size "$BATCH" \
            --schedule cosine --warmup-steps 100 --wd 0.05 "${AUGMENTED[@]}" --seed "$SEED" --log-steps 50 --save-steps "$SAVE" \
            --held-out "$HELD_OUT" --stop-after "$MINUTES" --device "$DEVICE" --json > "$folder.json"
    fi
    [ -f "$folder/log.jsonl" ] || again # stopped while images were prepared
    tail -n 2 "$folder/log.jsonl" | tr '\n' ',' | sed 's/^/[/; s/,$/]/' > "$folder.log.json"
    note "$(basename "$folder")" "$folder.log.json"
    grep -q '"complete": true' "$folder.json" || again
    put "$folder/complete" <<< "$folder/checkpoint-$(sed -n 's/.*"step": \([0-9]*\),.*/\1/p' "$folder.json")"
}

case "${1:-}" in
    record)
        recorded "$DEMOS" demos --count "$COUNT" --disturb 0,0.08,0.15
        for folder in "${OTHERS[@]}"; do
            [ -f "$folder/dataset.txt" ] || refused "$folder (ALSO) is no finished recording"
            recorded "$folder" "$(basename "$folder")"
        done ;;
    train)
        for folder in "$DEMOS" "${OTHERS[@]}"; do
            [ -f "$folder/$DATASET" ] || refused "$folder has no $DATASET; begin with: loop.sh record"
        done
        trained 0 --init "$INIT" --learning-rate "$RATE" --max-steps "$STEPS" ;;
    dagger)
        number=$(following dagger "$DATASET")
        folder="$FOLDER/dagger-$number"
        if [ ! -f "$folder.model" ]; then # the one that begins goes on
            checkpoint=$(newest)
            put "$folder.model" <<< "$checkpoint"
        fi
        recorded "$folder" "dagger-$number" --count "$ROUND" --seed $((COUNT + number * ROUND)) --policy "$POLICY" \
            --checkpoint "$(cat "$folder.model")" --beta "$BETA" --device "$DEVICE" ;;
    improve)
        checkpoint=$(newest)
        trained "$(following train complete)" --checkpoint "$checkpoint" --keep-statistics --learning-rate "$LOWER" \
            --max-steps "$MORE" ;;
    round)
        set -m # without job control, what runs in the background would not hear SIGINT
        nice "$BASH" "$0" dagger & playing=$! codes=(0 0) # simulators take every core that there is; the GPU is not to wait
        trap 'kill -INT -- -"$playing" 2> /dev/null' INT TERM
        "$BASH" "$0" improve || codes[0]=$?
        wait "$playing" || codes[1]=$?
        for code in "${codes[@]}"; do
            case $code in 0|"$AGAIN") ;; *) exit "$code" ;; esac
        done
        [ "${codes[*]}" = "0 0" ] || again ;;
    judge)
        checkpoint=$(newest)
        name=$(basename "$(dirname "$checkpoint")")
        judged="$FOLDER/judged-$name"
        limited run --task "$TASK" --policy "$POLICY" --checkpoint "$checkpoint" --placements heldout --count "$JUDGED" \
            --device "$DEVICE" "${MORE_ARGS[@]}" --json --out "$judged" > "$judged.json"
        note "judged-$name" "$judged.json" ;;
    curve)
        MODEL='' newest > /dev/null # says if there is none
        models=()
        for ((number = 0; number < $(following train complete); number++)); do
            models+=("$(cat "$FOLDER/train-$number/complete")")
        done
        limited checkpoints "${models[@]}" --task "$TASK" --policy "$POLICY" --placements heldout --count "$CURVE" \
            --device "$DEVICE" "${MORE_ARGS[@]}" --json --out "$FOLDER/curve" > "$FOLDER/curve.json"
        note curve "$FOLDER/curve.json" ;;
    keep)
        into=${2:?loop.sh keep DIR}
        mkdir -p "$into"
        cp "$FOLDER/results.jsonl" "$into/"
        checkpoint=$(newest)
        for ((number = 0; number <= $(following train complete); number++)); do
            log="$FOLDER/train-$number/log.jsonl"
            if [ -f "$log" ]; then sed "s/^{/{\"training\": \"train-$number\", /" "$log"; fi
        done > "$into/log.jsonl"
        tar -c -C "$(dirname "$checkpoint")" "$(basename "$checkpoint")" | split -b 15M -d - "$into/model.tar." ;;
    *)
        awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; exit 2 ;;
esac
