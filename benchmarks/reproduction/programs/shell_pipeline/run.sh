#!/bin/bash
# ./run.sh OUT: background from the tail, then the decay's area above it
set -e
out=$1
awk -F, 'NR > 1 && $1 >= 60 { sum += $2; n++ } END { printf "background %.6f\n", sum / n }' decay.csv > "$out"
# the second step reads what the first one wrote
background=$(awk '/background/ { print $2 }' result.txt)
awk -F, -v b="$background" -v seed=11 'BEGIN { srand(seed) }
    NR > 1 { area += $2 - b; jitter += rand() }
    END { printf "area %.6f\njitter %.6f\n", area, jitter / (NR - 1) }' decay.csv >> "$out"
