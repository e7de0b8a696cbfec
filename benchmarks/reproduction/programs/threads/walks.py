import csv
import random
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

with open("decay.csv") as file:
    counts = [float(row["counts"]) for row in csv.DictReader(file)]


def mean_of_sample(seed):
    chosen = random.Random(seed)
    return sum(chosen.choice(counts) / 3 for _ in range(2000)) / 2000


with ThreadPoolExecutor(8) as pool:
    work = [pool.submit(mean_of_sample, int(sys.argv[1]) + n) for n in range(64)]
    total = 0.0
    for done in as_completed(work):
        total += done.result()
print(f"mean of means: {total / 64!r}", file=sys.stderr)
