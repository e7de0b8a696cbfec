"""Strain, noise spectrum and matched filter, as GWOSC's tutorial on binary black holes defines them.

Sources: Allen et al., Phys. Rev. D 85, 122006 (2012) for the filter; GWOSC, "Binary black hole signals in LIGO open
data" for window, spectrum and template conventions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import h5py
import numpy as np
from fetch import Files, RunError
from numpy.typing import NDArray
from scipy.signal import welch
from scipy.signal.windows import blackman, tukey

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Samples = TypeVar("Samples", Real, Complex)

TAPER = 1 / 8


@dataclass(frozen=True)
class Strain:
    """Calibrated strain (dimensionless) of one detector, evenly sampled.

    ``start`` is the GPS time of the first sample in seconds, ``rate`` the samples in a second.
    """

    values: Real
    start: float
    rate: int

    def cut(self, begin: float, end: float) -> Strain:
        """The samples from GPS time ``begin`` up to, and without, ``end``."""
        first, last = (round((moment - self.start) * self.rate) for moment in (begin, end))
        return Strain(self.values[first:last], self.start + first / self.rate, self.rate)


@dataclass(frozen=True)
class Spectrum:
    """One-sided power spectral density of the noise, 1/Hz, at frequencies in Hz."""

    frequencies: Real
    density: Real

    def at(self, frequencies: Real) -> Real:
        """The density at these frequencies (the sign is ignored), interpolated linearly."""
        return np.interp(np.abs(frequencies), self.frequencies, self.density)


def read_strain(files: Files, detector: str) -> Strain:
    """Reads the strain of ``H1`` or ``L1``.

    Raises:
        RunError: a second of it carries no data, by its data-quality mask or as NaN; it has another rate than the
            events file says; or the event is not in it.
    """
    event = files.event
    path = files.paths[event.strain[detector]]
    with h5py.File(path) as file:
        values = file["strain/Strain"][()].astype(np.float64)
        start = float(file["meta/GPSstart"][()])
        rate = round(1 / file["strain/Strain"].attrs["Xspacing"])
        present = file["quality/simple/DQmask"][()] & 1
    if not present.all() or not np.isfinite(values).all():
        raise RunError(f"{path}: expected data in every second, its data-quality mask or its values say otherwise", 1)
    if rate != event.rate or not start < event.time < start + values.size / rate:
        span = f"{rate} samples in a second from GPS {start:.0f} to {start + values.size / rate:.0f}"
        raise RunError(f"{path}: expected {event.rate} samples in a second around GPS {event.time}, got {span}", 1)
    return Strain(values, start, rate)


def read_template(files: Files) -> Complex:
    """Reads the template as ``plus + i cross``; the merger lies just before the middle sample."""
    with h5py.File(files.paths[files.event.template]) as file:
        plus, cross = file["template"][()].astype(np.float64)
    template: Complex = plus + 1j * cross
    return template


def estimate_spectrum(strain: Strain, seconds: int) -> Spectrum:
    """Welch's estimate: Blackman windows of so many seconds that overlap by half."""
    length = seconds * strain.rate
    frequencies, density = welch(
        strain.values, strain.rate, window=blackman(length), nperseg=length, noverlap=length // 2
    )
    return Spectrum(frequencies, density)


def taper(values: Samples) -> Samples:
    """The values under a Tukey window, an eighth of which is taper."""
    return np.multiply(values, tukey(values.size, TAPER), dtype=values.dtype)


def whiten(strain: Strain, spectrum: Spectrum, band: tuple[float, float]) -> Real:
    """Strain divided by the noise amplitude inside ``band``, in units in which noise over the whole band would have
    variance 1; nothing is kept outside the band."""
    frequencies = np.fft.rfftfreq(strain.values.size, 1 / strain.rate)
    inside = (frequencies >= band[0]) & (frequencies <= band[1])
    weight = np.where(inside, 1 / np.sqrt(spectrum.at(frequencies) * strain.rate / 2), 0)
    return np.fft.irfft(np.fft.rfft(taper(strain.values)) * weight, strain.values.size)


def matched_filter(strain: Strain, template: Complex, spectrum: Spectrum) -> Complex:
    """Complex signal-to-noise ratio at every sample, at which the middle sample of the template falls.

    In Gaussian noise its modulus squared has the mean 2.
    """
    frequencies = np.fft.fftfreq(strain.values.size, 1 / strain.rate)
    data = np.fft.fft(taper(strain.values)) / strain.rate
    wave = np.fft.fft(taper(template)) / strain.rate
    density = spectrum.at(frequencies)
    norm = np.sqrt(np.sum(np.abs(wave) ** 2 / density) * strain.rate / strain.values.size)
    ratio = 2 * strain.rate * np.fft.ifft(data * wave.conj() / density) / norm
    return np.roll(ratio, strain.values.size // 2)
