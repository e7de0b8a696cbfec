"""Trains a classifier of signal against noise on real detector noise, tests it on later noise, and scores the event.

    python classify.py --out results/classifier
    python classify.py --event GW151226 --data FOLDER --out results/classifier

Trained on strain from before the event, tested on strain from after it; the two share no sample, no spectrum and no
scaling. Signals are the published template, injected at random strength, phase and time into half of the examples.
Writes into OUT: model.json (scaling and coefficients), split.json (every example of either set), result.json, and the
run document run.json.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

import numpy as np
from fetch import DETECTORS, RunError, gather
from numpy.typing import NDArray
from rundoc import Arguments, main, metric, write_json, write_run
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from strain import Complex, Real, Spectrum, Strain, estimate_spectrum, read_strain, read_template, taper

STRETCH_SECONDS = 15.0
# An average of few segments, applied to noise it was not made from, makes that noise look louder by about K / (K - 2)
# for K independent segments: 15 s hold too few of the search's 4 s.
SEGMENT_SECONDS = 1
WINDOW_SECONDS = 0.125
BINS = 8  # of equal expected power, for the chi-squared test
BAND = (20.0, 1024.0)  # Hz; below, the detectors are dominated by the ground, and above, the template holds no power
INJECTED_SNR = (3.0, 12.0)
FEATURES = ("log_snr", "log_chi_squared", "log_power", "log_contrast")


@dataclass(frozen=True)
class Example:
    """One window of noise, and what was injected into it: nothing, if ``snr`` is 0.

    ``first`` is the window's first sample in the stretch, ``merger`` the injected merger's.
    """

    detector: str
    first: int
    snr: float = 0.0
    phase: float = 0.0
    merger: int = 0


class Filter:
    """Matched filter of one detector over stretches of one length, split into bins of equal expected power.

    Args:
        template: complex template, of which the middle is used.
        spectrum: noise to weigh with.
        length, rate: samples in a stretch and in a second.
    """

    def __init__(self, template: Complex, spectrum: Spectrum, length: int, rate: int) -> None:
        middle = template.size // 2
        cut = template[middle - length // 2 : middle + length - length // 2]
        frequencies = np.fft.rfftfreq(length, 1 / rate)
        inside = (frequencies >= BAND[0]) & (frequencies <= BAND[1])
        density = np.where(inside, spectrum.at(frequencies), np.inf)
        plus = np.fft.rfft(taper(cut.real)) / rate
        power = 4 * np.abs(plus) ** 2 / density * rate / length
        self.norm = float(np.sqrt(power.sum()))
        share = np.minimum(np.cumsum(power) / power.sum() * BINS, BINS - 1e-9).astype(int)
        self._kernels = np.where(share == np.arange(BINS)[:, None], plus.conj() / density, 0) / self.norm
        self._whitening = 1 / np.sqrt(density * rate / 2)
        self._rate = rate
        self.response = self(cut.real / self.norm), self(cut.imag / self.norm)

    def __call__(self, values: Real) -> Complex:
        """Rows of a stretch: the SNR of each bin with the merger at the sample, and last the whitened strain."""
        data = np.fft.rfft(taper(values))
        spectra = np.zeros((BINS, values.size), complex)
        spectra[:, : data.size] = 4 * data * self._kernels
        ratios = np.roll(np.fft.ifft(spectra), values.size // 2, axis=1)
        return np.vstack([ratios, np.fft.irfft(data * self._whitening, values.size)])

    def injection(self, example: Example, size: int) -> Complex:
        """What the example's signal adds to the rows in its window: the filter is linear, so adding it to filtered
        noise equals filtering noise with the signal in it."""
        first = self.response[0].shape[1] // 2 + example.first - example.merger
        window = slice(first, first + size)
        plus, cross = (rows[:, window] for rows in self.response)
        signal: Complex = example.snr * (np.cos(example.phase) * plus + np.sin(example.phase) * cross)
        return signal


def features(rows: Complex) -> list[float]:
    """What the classifier sees of a window, from the rows of the filter there; logarithms, in order of `FEATURES`.

    Peak SNR; its reduced chi-squared over the bins (Allen, Phys. Rev. D 71, 062001 (2005)); mean power of the
    whitened strain; and the peak over the window's median.
    """
    bins, whitened = rows[:-1], rows[-1].real
    total = bins.sum(axis=0)
    peak = int(np.argmax(np.abs(total)))
    snr = np.abs(total[peak])
    chi_squared = BINS * np.sum(np.abs(bins[:, peak] - total[peak] / BINS) ** 2) / (2 * BINS - 2)
    return [float(value) for value in np.log([snr, chi_squared, np.mean(whitened**2), snr / np.median(np.abs(total))])]


def draw(length: int, rate: int, generator: np.random.Generator) -> list[Example]:
    """Examples that tile the untapered part of a stretch: each window once as noise, once with a signal."""
    size, edge = round(WINDOW_SECONDS * rate), round(rate * 1.5)
    examples = []
    for detector in DETECTORS:
        for first in range(edge, length - edge - size + 1, size):
            merger = first + int(generator.integers(size // 4, 3 * size // 4))
            # rounded, so that the last bit of a processor's logarithm does not change the split's digest
            snr = round(float(np.exp(generator.uniform(*np.log(INJECTED_SNR)))), 6)
            phase = round(float(generator.uniform(0, 2 * np.pi)), 6)
            examples += [Example(detector, first), Example(detector, first, snr, phase, merger)]
    return examples


def tabulate(
    examples: list[Example], filters: dict[str, Filter], stretches: dict[str, Strain]
) -> tuple[Real, NDArray[np.int64]]:
    """Features (n, 4) and labels (n,) of the examples; label 1 is a signal."""
    size = round(WINDOW_SECONDS * next(iter(stretches.values())).rate)
    noise = {detector: filters[detector](stretch.values) for detector, stretch in stretches.items()}
    table = []
    for example in examples:
        rows = noise[example.detector][:, example.first : example.first + size]
        table.append(features(rows + filters[example.detector].injection(example, size) if example.snr else rows))
    return np.array(table), np.array([int(example.snr > 0) for example in examples])


def classify(arguments: Arguments) -> None:
    """The whole training, from the four files to the run document."""
    files = gather(arguments.data, arguments.event)
    event, template = files.event, read_template(files)
    strains = {detector: read_strain(files, detector) for detector in DETECTORS}
    begin, rate = strains["H1"].start, strains["H1"].rate
    end = begin + strains["H1"].values.size / rate
    length = round(STRETCH_SECONDS * rate)
    if not begin + STRETCH_SECONDS < event.time < end - STRETCH_SECONDS:
        raise RunError(
            f"expected {STRETCH_SECONDS:g} s of strain without the event on either side of GPS {event.time}, "
            f"got strain from {begin:.0f} to {end:.0f}",
            1,
        )
    before = {name: strain.cut(begin, begin + STRETCH_SECONDS) for name, strain in strains.items()}
    after = {name: strain.cut(end - STRETCH_SECONDS, end) for name, strain in strains.items()}
    around = {
        name: strain.cut(event.time - STRETCH_SECONDS / 2, event.time + STRETCH_SECONDS / 2)
        for name, strain in strains.items()
    }
    filters = {
        name: Filter(template, estimate_spectrum(before[name], SEGMENT_SECONDS), length, rate) for name in DETECTORS
    }

    generator = np.random.default_rng(arguments.seed)
    training, testing = draw(length, rate, generator), draw(length, rate, generator)
    split_file = write_json(
        arguments.out / "split.json",
        {
            name: {"gps_start": stretches["H1"].start, "examples": [asdict(example) for example in examples]}
            for name, stretches, examples in (("train", before, training), ("test", after, testing))
        },
    )

    model = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky", tol=1e-10))
    model.fit(*tabulate(training, filters, before))
    table, labels = tabulate(testing, filters, after)
    scores = model.predict_proba(table)[:, 1]
    window = round(WINDOW_SECONDS * rate)
    centred = [Example(detector, length // 2 - window // 2) for detector in DETECTORS]
    event_table, _ = tabulate(centred, filters, around)
    event_scores = dict(zip(DETECTORS, model.predict_proba(event_table)[:, 1], strict=True))

    values = {
        "roc_auc": float(roc_auc_score(labels, scores)),
        "accuracy": float(accuracy_score(labels, scores >= 0.5)),
        "log_loss": float(log_loss(labels, scores)),
    }
    split_sha256 = hashlib.sha256(split_file.read_bytes()).hexdigest()
    model_file = write_json(arguments.out / "model.json", describe(model, split_sha256))
    result_file = write_json(
        arguments.out / "result.json",
        {
            "test": values,
            "event": {
                detector: {
                    "score": float(event_scores[detector]),
                    "features": dict(zip(FEATURES, event_table[row].tolist(), strict=True)),
                }
                for row, detector in enumerate(DETECTORS)
            },
            "examples": {"train": len(training), "test": len(testing)},
            "split_sha256": split_sha256,
        },
    )
    pair = 4 / len(testing) ** 2  # what one signal and one noise window trading places moves the AUC by
    metrics = {
        "roc_auc": metric(values["roc_auc"], absolute=pair),
        "accuracy": metric(values["accuracy"], absolute=1 / len(testing)),
        "log_loss": metric(values["log_loss"], absolute=1e-6),
    }
    metrics |= {f"event_score_{name}": metric(score, absolute=1e-6) for name, score in event_scores.items()}
    write_run(
        arguments,
        name=f"{event.name.lower()}-classifier",
        parameters={
            "event": event.name,
            "detectors": list(DETECTORS),
            "psd": {"method": "welch", "window": "blackman", "seconds": SEGMENT_SECONDS, "overlap": 0.5},
            "stretch_seconds": STRETCH_SECONDS,
            "window_seconds": WINDOW_SECONDS,
            "chi_squared_bins": BINS,
            "band_hz": list(BAND),
            "injected_snr": list(INJECTED_SNR),
            "features": list(FEATURES),
            "classifier": "logistic regression, L2 with C=1, Newton",
            "split_sha256": split_sha256,
        },
        metrics=metrics,
        inputs=files.paths,
        outputs={"model": model_file, "split": split_file, "result": result_file},
    )
    print("  ".join(f"{name} {value:.4f}" for name, value in values.items()), f"on {len(testing)} test windows")
    print("  ".join(f"{event.name} in {name}: {score:.6f}" for name, score in event_scores.items()))


def describe(model: Pipeline, split_sha256: str) -> dict[str, object]:
    """The trained model as plain numbers: score = 1 / (1 + exp(-(intercept + sum(c * (x - mean) / scale))))."""
    scaler, regression = model[0], model[1]
    return {
        "kind": "logistic-regression",
        "features": list(FEATURES),
        "mean": scaler.mean_.tolist(),
        "scale": scaler.scale_.tolist(),
        "coefficients": regression.coef_[0].tolist(),
        "intercept": float(regression.intercept_[0]),
        "trained_on": {"split_sha256": split_sha256},
    }


if __name__ == "__main__":
    main(classify, __doc__)
