#!/usr/bin/env bash
# What does the trace change? A small model is trained with it and without, once for each seed, on the same demonstrations, and
# judged on the same held-out placements; then the effect with its interval, paired by placement and clustered by training seed.
#
#   question.sh record   demonstrations, with traces drawn (leaves with code 75 until they are done)
#   question.sh next     the next training or judgement that is not done, CARDS at a time on as many GPUs; 75: there is more
#   question.sh effect   the answer so far
#
# Every call goes on from what lies in $FOLDER. Where imitation alone has no success, give the rounds of DAgger of a loop as well:
# ALSO="results/loop/dagger-0 results/loop/dagger-1". Settings are those of loop.sh, and:
#   FOLDER=results/question SEEDS="0 1 2" CARDS=1 PYTHON=python
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
FOLDER=${FOLDER:-results/question} SEEDS=${SEEDS:-0 1 2} CARDS=${CARDS:-1} PYTHON=${PYTHON:-python}
export JUDGED=${JUDGED:-100} DEMOS=$FOLDER/demos
read -r -a NUMBERS <<< "$SEEDS"
refused() { echo "question.sh: $1" >&2; exit 2; }
for number in "${NUMBERS[@]}" "$CARDS"; do
    [[ $number =~ ^(0|[1-9][0-9]{0,8})$ ]] || refused "SEEDS and CARDS are whole numbers, and $number is none"
done
[ "$CARDS" -gt 0 ] || refused "CARDS=0 leaves nothing to train on; give 1 or more"
[ $# = 0 ] || mkdir -p "$FOLDER"

loop() { # loop WAY SEED STEP
    local trace=0
    if [ "$1" = trace ]; then trace=1; fi
    FOLDER="$FOLDER/$1-$2" TRACE=$trace SEED=$2 bash "$HERE/loop.sh" "$3"
}

undone() { # WAY SEED STEP of whatever is not done, in order
    local seed way folder
    for seed in "${NUMBERS[@]}"; do
        for way in trace plain; do
            folder="$FOLDER/$way-$seed"
            if [ ! -f "$folder/train-0/complete" ]; then
                echo "$way $seed train"
            elif ! grep -qs '"step": "judged-train-0"' "$folder/results.jsonl"; then
                echo "$way $seed judge"
            fi
        done
    done
}

case "${1:-}" in
    record) FOLDER="$FOLDER" TRACE=1 bash "$HERE/loop.sh" record ;;
    next)
        [ -f "$DEMOS/traces.txt" ] || refused "begin with: question.sh record"
        mapfile -t todo < <(undone | head -n "$CARDS")
        waiting=() card=0
        for entry in "${todo[@]}"; do
            read -r way seed step <<< "$entry"
            echo "question.sh: $step $way, seed $seed"
            if [ "$CARDS" -gt 1 ]; then
                CUDA_VISIBLE_DEVICES=$card loop "$way" "$seed" "$step" &
            else
                loop "$way" "$seed" "$step" &
            fi
            waiting+=($!) card=$((card + 1))
        done
        failed=0
        for process in "${waiting[@]}"; do # of all, before one that failed ends this
            code=0
            wait "$process" || code=$?
            case $code in 0|75) ;; *) failed=$code ;; esac
        done
        [ "$failed" = 0 ] || exit "$failed"
        if [ -n "$(undone)" ]; then exit 75; fi ;;
    effect)
        ways=()
        for seed in "${NUMBERS[@]}"; do
            if [ "$(grep -ls '"step": "judged-train-0"' "$FOLDER"/{trace,plain}-"$seed"/results.jsonl | wc -l)" = 2 ]; then
                for way in trace plain; do ways+=("--$way" "$FOLDER/$way-$seed/judged-train-0"); done
            fi
        done
        "$PYTHON" "$HERE/effect.py" "${ways[@]}" | tee "$FOLDER/effect.json" ;;
    *) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; exit 2 ;;
esac
