import json

import numpy as np
from scipy.optimize import curve_fit

SEED = 42
t, counts = np.loadtxt("decay.csv", delimiter=",", skiprows=1).T


def model(t, amplitude, lifetime, background):
    return amplitude * np.exp(-t / lifetime) + background


rng = np.random.default_rng(SEED)
start = rng.normal([800, 15, 10], [50, 2, 3])
noisy = counts + rng.normal(0, 1, len(counts))
(amplitude, lifetime, background), _ = curve_fit(model, t, noisy, p0=start)
json.dump({"half_life": lifetime * np.log(2), "background": background}, open("result.json", "w"))
