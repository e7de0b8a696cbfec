import numpy as np

BACKGROUND = 20.0


def fit(t, counts, resamples, seed):
    """Lifetime by a straight line through the logarithms, and its spread by the bootstrap."""
    keep = counts > BACKGROUND + 5
    t, logs = t[keep], np.log(counts[keep] - BACKGROUND)
    rng = np.random.default_rng(seed)
    slopes = []
    for _ in range(resamples):
        chosen = rng.integers(0, len(t), len(t))
        slopes.append(np.polyfit(t[chosen], logs[chosen], 1)[0])
    return -1 / np.polyfit(t, logs, 1)[0], float(np.std(-1 / np.array(slopes)))
