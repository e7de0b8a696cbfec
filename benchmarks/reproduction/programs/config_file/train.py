import csv
import sys

import numpy as np
import yaml

config = yaml.safe_load(open(sys.argv[1]))
t, counts = np.loadtxt(config["data"], delimiter=",", skiprows=1).T
rng = np.random.default_rng(config["seed"])
weights = rng.normal(size=3)
features = np.stack([np.ones_like(t), t / 80, (t / 80) ** 2])
target = counts / 900
with open("log.csv", "w", newline="") as file:
    log = csv.writer(file)
    log.writerow(["epoch", "loss"])
    for epoch in range(config["epochs"]):
        error = weights @ features - target
        weights -= config["optimizer"]["lr"] * features @ error / len(t)
        log.writerow([epoch, float(np.mean(error**2))])
