import sys

source, target = sys.argv[1:]
with open(source) as lines, open(target, "w") as clean:
    clean.writelines(line for line in lines if not line.startswith("#"))
