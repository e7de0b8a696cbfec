import json
import random
import statistics
import sys

source, target = sys.argv[1:]
params = dict(line.split(": ") for line in open("params.yaml").read().splitlines())
counts = [float(line.split(",")[1]) for line in open(source).read().splitlines()[1:]]
rng = random.Random(int(params["seed"]))
means = [statistics.fmean(rng.choices(counts, k=len(counts))) for _ in range(int(params["resamples"]))]
json.dump({"mean": statistics.fmean(counts), "error": statistics.stdev(means)}, open(target, "w"))
