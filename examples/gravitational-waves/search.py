"""Searches LIGO strain for an event with a matched filter, and measures the background by time slides.

    python search.py --out results/search
    python search.py --event GW151226 --data FOLDER --out results/search

Writes into OUT: whitened/H1.npy and whitened/L1.npy (strain in units of its noise), template.npy (the complex template
as the filter used it), result.json, and the run document run.json.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from fetch import DETECTORS, Event, gather
from rundoc import Arguments, main, metric, write_json, write_run
from scipy.ndimage import maximum_filter1d
from strain import (
    TAPER,
    Real,
    estimate_spectrum,
    matched_filter,
    read_strain,
    read_template,
    taper,
    whiten,
)

SEGMENT_SECONDS = 4
COINCIDENCE_SECONDS = 0.015  # 10 ms of light travel between the sites, and 5 ms of uncertainty in each arrival
SLIDES = 500
EDGE_SECONDS = 2.0  # the taper's reach at either end
EVENT_SECONDS = 1.0  # kept free of background on either side of the event

SNR_TOLERANCE = 0.05  # half a unit of the last digit that GWOSC's tutorial prints


def search(arguments: Arguments) -> None:
    """The whole search, from the four files to the run document."""
    files = gather(arguments.data, arguments.event)
    event, template = files.event, read_template(files)
    strains = {detector: read_strain(files, detector) for detector in DETECTORS}
    spectra = {detector: estimate_spectrum(strain, SEGMENT_SECONDS) for detector, strain in strains.items()}
    ratios = {name: np.abs(matched_filter(strains[name], template, spectra[name])) for name in DETECTORS}

    (arguments.out / "whitened").mkdir(parents=True, exist_ok=True)
    for name in DETECTORS:
        np.save(arguments.out / "whitened" / f"{name}.npy", whiten(strains[name], spectra[name], event.band))
    np.save(arguments.out / "template.npy", taper(template))

    start, rate = strains["H1"].start, strains["H1"].rate
    result = summarise(ratios, start, rate)
    result["background"] = background(
        ratios, event, start, rate, seed=arguments.seed, observed=result["network"]["snr"]
    )
    result_file = write_json(arguments.out / "result.json", {"event": event.name, **result})

    sample = 1 / rate
    metrics = {f"snr_{name}": metric(result[name]["snr"], absolute=SNR_TOLERANCE) for name in DETECTORS}
    metrics |= {f"gps_time_{name}": metric(result[name]["gps_time"], absolute=sample) for name in DETECTORS}
    metrics["snr_network"] = metric(result["network"]["snr"], absolute=SNR_TOLERANCE * np.sqrt(2))
    metrics["delay_seconds"] = metric(result["network"]["delay_seconds"], absolute=2 * sample)
    for name in ("loudest_snr", "mean_loudest_snr"):
        metrics[f"background_{name}"] = metric(result["background"][name], absolute=1e-6)
    metrics["background_slides_louder"] = metric(result["background"]["slides_louder"], absolute=0)
    write_run(
        arguments,
        name=f"{event.name.lower()}-search",
        parameters={
            "event": event.name,
            "detectors": list(DETECTORS),
            "sample_rate_hz": rate,
            "psd": {"method": "welch", "window": "blackman", "seconds": SEGMENT_SECONDS, "overlap": 0.5},
            "window": {"name": "tukey", "taper": TAPER},
            "whitening_band_hz": list(event.band),
            "slides": SLIDES,
            "coincidence_seconds": COINCIDENCE_SECONDS,
        },
        metrics=metrics,
        inputs=files.paths,
        outputs={
            "whitened-strain": arguments.out / "whitened",
            "template": arguments.out / "template.npy",
            "result": result_file,
        },
    )
    for name in DETECTORS:
        print(f"{name}  SNR {result[name]['snr']:.2f} at GPS {result[name]['gps_time']:.4f}")
    delay = 1e3 * result["network"]["delay_seconds"]
    print(
        f"network SNR {result['network']['snr']:.2f}, H1 {abs(delay):.1f} ms {'after' if delay >= 0 else 'before'} L1"
    )
    print(
        f"loudest of {SLIDES} time slides: {result['background']['loudest_snr']:.2f}"
        f" ({result['background']['seconds'] / 3600:.1f} h of background)"
    )


def summarise(ratios: dict[str, Real], start: float, rate: int) -> dict[str, Any]:
    """Peak and time of each detector, and of both together; the delay is H1's time less L1's."""
    peaks = {name: int(np.argmax(ratio)) for name, ratio in ratios.items()}
    result: dict[str, Any] = {
        name: {"snr": float(ratios[name][peak]), "gps_time": start + peak / rate} for name, peak in peaks.items()
    }
    result["network"] = {
        "snr": float(np.hypot(*(result[name]["snr"] for name in DETECTORS))),
        "delay_seconds": (peaks["H1"] - peaks["L1"]) / rate,
    }
    return result


def background(
    ratios: dict[str, Real], event: Event, start: float, rate: int, *, seed: int, observed: float
) -> dict[str, float]:
    """The loudest network SNR that chance gives: L1 is slid against H1 by times that no wave could need.

    Samples near the event and in the tapers are left out. The slides share their noise, so they bound a rate of
    false alarms and do not measure one (Usman et al., Class. Quantum Grav. 33, 215004 (2016)).
    """
    times = start + np.arange(ratios["H1"].size) / rate
    quiet = (times >= times[0] + EDGE_SECONDS) & (times < times[-1] - EDGE_SECONDS)
    quiet &= np.abs(times - event.time) > EVENT_SECONDS
    hanford = ratios["H1"][quiet]
    livingston = maximum_filter1d(ratios["L1"][quiet], 2 * round(COINCIDENCE_SECONDS * rate) + 1)
    shortest = rate // 2
    shifts = np.random.default_rng(seed).choice(
        np.arange(shortest, hanford.size - shortest), size=SLIDES, replace=False
    )
    loudest = np.array([np.hypot(hanford, np.roll(livingston, shift)).max() for shift in shifts])
    return {
        "slides": SLIDES,
        "seconds": SLIDES * hanford.size / rate,
        "loudest_snr": float(loudest.max()),
        "mean_loudest_snr": float(loudest.mean()),
        "slides_louder": int(np.count_nonzero(loudest >= observed)),
    }


if __name__ == "__main__":
    main(search, __doc__)
