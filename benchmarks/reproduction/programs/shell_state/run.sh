#!/bin/bash
# counts how often it ran, and weighs the sum of the counts by it
set -e
runs=$(cat runs.txt 2>/dev/null || echo 0)
runs=$((runs + 1))
echo "$runs" > runs.txt
awk -F, -v runs="$runs" 'NR > 1 { sum += $2 } END { printf "weighted %.3f\n", sum * runs }' decay.csv
