import argparse
import configparser
import multiprocessing

import numpy as np


def chunk_area(job):
    counts, background, seed = job
    noise = np.random.default_rng(seed).normal(0, 1, len(counts))
    return float(np.sum(counts - background + noise))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("-j", "--jobs", type=int, default=1)
    args = parser.parse_args()
    config = configparser.ConfigParser()
    config.read(args.config)
    settings = config["fit"]
    counts = np.loadtxt(settings["data"], delimiter=",", skiprows=1)[:, 1]
    jobs = [(part, settings.getfloat("background"), settings.getint("seed") + n) for n, part in enumerate(np.array_split(counts, 4))]
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool:
        areas = pool.map(chunk_area, jobs)
    print(f"area\t{sum(areas):.9e}")
