import argparse
import random

parser = argparse.ArgumentParser()
parser.add_argument("points", type=argparse.FileType())
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
count = int(args.points.read())
random.seed(args.seed)
inside = sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(count))
print(f"{count} points")
print(f"pi is about {4 * inside / count}")
