import argparse
import random

parser = argparse.ArgumentParser()
parser.add_argument("points", type=argparse.FileType())
args = parser.parse_args()
count = int(args.points.read())
inside = sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(count))
print(f"{count} points")
print(f"pi is about {4 * inside / count}")
