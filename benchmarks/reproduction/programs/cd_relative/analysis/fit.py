import csv
import math

with open("../data/decay.csv") as file:
    rows = [(float(t), float(n)) for t, n in list(csv.reader(file))[1:]]
logs = [(t, math.log(n - 20)) for t, n in rows if n > 25]
mt = sum(t for t, _ in logs) / len(logs)
ml = sum(y for _, y in logs) / len(logs)
slope = sum((t - mt) * (y - ml) for t, y in logs) / sum((t - mt) ** 2 for t, _ in logs)
with open("../half_life.txt", "w") as file:
    print(f"half-life: {-math.log(2) / slope:.4f}", file=file)
