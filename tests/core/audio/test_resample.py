from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from talkbutton.protocols.audio import Downsampler, Upsampler
from talkbutton.protocols.audio.resample import RESAMPLING_DELAY_SAMPLES

pytestmark = pytest.mark.core

AMPLITUDE = 10_000


def sine(frequency_hz: float, rate_hz: int, seconds: float = 1.0) -> NDArray[np.int16]:
    times = np.arange(int(rate_hz * seconds)) / rate_hz
    wave: NDArray[np.int16] = np.rint(AMPLITUDE * np.sin(2 * np.pi * frequency_hz * times)).astype(
        np.int16
    )
    return wave


def resample(by: Upsampler | Downsampler, signal: NDArray[np.int16]) -> NDArray[np.int16]:
    """Frame by frame, 20 ms each."""
    frame = 160 if isinstance(by, Upsampler) else 320
    return np.concatenate(
        [by.resample(signal[i : i + frame]) for i in range(0, signal.size, frame)]
    )


def gain_db(signal: NDArray[np.int16]) -> float:
    settled = signal[200:].astype(float)
    return float(10 * np.log10(np.mean(settled**2) / (AMPLITUDE**2 / 2) + 1e-12))


def peak_hz(signal: NDArray[np.int16], rate_hz: int) -> float:
    settled = signal[rate_hz // 20 :].astype(float)
    spectrum = np.abs(np.fft.rfft(settled * np.hanning(settled.size)))
    return float(np.argmax(spectrum) * rate_hz / settled.size)


@pytest.mark.parametrize("frequency_hz", [100, 440, 1_000, 2_500, 3_400])
def test_speech_keeps_frequency_and_level_both_ways(frequency_hz: float) -> None:
    up = resample(Upsampler(), sine(frequency_hz, 8_000))
    down = resample(Downsampler(), sine(frequency_hz, 16_000))
    assert (up.size, down.size) == (16_000, 8_000)
    assert peak_hz(up, 16_000) == pytest.approx(frequency_hz, abs=2)
    assert peak_hz(down, 8_000) == pytest.approx(frequency_hz, abs=2)
    assert gain_db(up) == pytest.approx(0, abs=0.1)
    assert gain_db(down) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("frequency_hz", [4_600, 5_000, 6_500, 7_900])
def test_what_telephones_cannot_carry_does_not_fold_back(frequency_hz: float) -> None:
    assert gain_db(resample(Downsampler(), sine(frequency_hz, 16_000))) < -68


@pytest.mark.parametrize("frequency_hz", [300, 1_000, 3_400])
def test_upsampling_leaves_no_mirror_image(frequency_hz: float) -> None:
    up = resample(Upsampler(), sine(frequency_hz, 8_000))[2_000:].astype(float)
    spectrum = np.abs(np.fft.rfft(up * np.blackman(up.size))) ** 2
    above = int(4_500 * up.size / 16_000)
    assert 10 * np.log10(spectrum[above:].sum() / spectrum[:above].sum()) < -66


def test_delay_is_as_documented() -> None:
    impulse = np.zeros(320, np.int16)
    impulse[100] = AMPLITUDE
    down_and_up = Upsampler().resample(Downsampler().resample(impulse))
    assert int(np.argmax(down_and_up)) == 100 + 2 * RESAMPLING_DELAY_SAMPLES
    assert RESAMPLING_DELAY_SAMPLES / 16 < 2.5  # ms


@given(st.integers(0, 1 << 16), st.lists(st.integers(1, 100), min_size=1, max_size=8))
def test_cutting_the_signal_differently_changes_nothing(seed: int, sizes: list[int]) -> None:
    noise = np.random.default_rng(seed).integers(-9_000, 9_000, 2 * sum(sizes)).astype(np.int16)
    up, down = Upsampler(), Downsampler()
    cuts = 2 * np.cumsum([0, *sizes])
    pieces = [noise[a:b] for a, b in pairwise(cuts)]
    ups = np.concatenate([up.resample(piece) for piece in pieces])
    downs = np.concatenate([down.resample(piece) for piece in pieces])
    assert np.abs(ups.astype(int) - Upsampler().resample(noise)).max() <= 1
    assert np.abs(downs.astype(int) - Downsampler().resample(noise)).max() <= 1


def test_full_scale_is_clipped_and_does_not_wrap() -> None:
    square = np.where(np.arange(1_600) // 20 % 2, 32_767, -32_768).astype(np.int16)
    up = Upsampler().resample(square).astype(int)
    assert up.max() == 32_767
    assert up.min() == -32_768
    high = square[200:1_500] > 0
    middles = np.arange(200, 1_500)[high & (np.arange(200, 1_500) % 20 == 10)]
    assert np.all(up[2 * middles + RESAMPLING_DELAY_SAMPLES] > 25_000)
