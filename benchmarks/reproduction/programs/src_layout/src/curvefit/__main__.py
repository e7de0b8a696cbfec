import json
import sys

import numpy as np

from curvefit.model import fit

t, counts = np.loadtxt(sys.argv[1], delimiter=",", skiprows=1).T
lifetime, error = fit(t, counts, resamples=200, seed=int(sys.argv[2]))
with open("fit.json", "w") as file:
    json.dump({"lifetime": lifetime, "error": error}, file)
