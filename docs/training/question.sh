#!/usr/bin/env bash
# What does the trace change? A small model is trained with it and without, once for each seed, on the same demonstrations, and
# judged on the same held-out placements; then the effect with its interval, paired by placement and clustered by training seed.
#
#   question.sh record   demonstrations, with traces drawn (leaves with code 75 until they are done)
#   question.sh next     the next training, and beside it the judgement of one that is done; CARDS of each on as many GPUs; 75: more
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
    local trace=0 first=()
    if [ "$1" = trace ]; then trace=1; fi
    if [ "$3" = judge ]; then first=(nice); fi # simulators take every core that there is, and the training must not wait for one
    FOLDER="$FOLDER/$1-$2" TRACE=$trace SEED=$2 "${first[@]}" bash "$HERE/loop.sh" "$3"
}

undone() { # undone STEP: WAY SEED STEP of what can be done now, in order
    local seed way folder now
    for seed in "${NUMBERS[@]}"; do
        for way in trace plain; do
            folder="$FOLDER/$way-$seed" now=train
            if [ -f "$folder/train-0/complete" ]; then now=judge; fi
            if [ "$now" = "$1" ] && ! grep -qs '"step": "judged-train-0"' "$folder/results.jsonl"; then echo "$way $seed $now"; fi
        done
    done
}

case "${1:-}" in
    record) FOLDER="$FOLDER" TRACE=1 bash "$HERE/loop.sh" record ;;
    next)
        [ -f "$DEMOS/traces.txt" ] || refused "begin with: question.sh record"
        mapfile -t todo < <(for step in train judge; do undone "$step" | awk -v n="$CARDS" 'NR <= n { print $0, NR - 1 }'; done)
        set -m # without job control, what runs in the background would not hear SIGINT
        waiting=()
        trap 'for process in "${waiting[@]}"; do kill -INT -- -"$process" 2> /dev/null || true; done' INT TERM
        for entry in "${todo[@]}"; do
            read -r way seed step card <<< "$entry"
            echo "question.sh: $step $way, seed $seed"
            if [ "$CARDS" -gt 1 ]; then export CUDA_VISIBLE_DEVICES=$card; fi
            loop "$way" "$seed" "$step" &
            waiting+=($!)
        done
        failed=0
        for process in "${waiting[@]}"; do # of all, before one that failed ends this
            code=0
            wait "$process" || code=$?
            case $code in 0|75) ;; *) failed=$code ;; esac
        done
        [ "$failed" = 0 ] || exit "$failed"
        if [ -n "$(undone train)$(undone judge)" ]; then exit 75; fi ;;
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
