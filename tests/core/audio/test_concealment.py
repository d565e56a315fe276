import numpy as np
import pytest
from numpy.typing import NDArray

from talkbutton.protocols.audio import LINE_RATE_HZ, LINE_SILENCE_PCM, Concealer, level_dbov

pytestmark = pytest.mark.core


def tone(frequency_hz: float, frames: int) -> list[bytes]:
    times = np.arange(320 * frames) / LINE_RATE_HZ
    pcm = np.rint(8_000 * np.sin(2 * np.pi * frequency_hz * times)).astype("<i2").tobytes()
    return [pcm[start : start + 640] for start in range(0, len(pcm), 640)]


def samples(frames: list[bytes]) -> NDArray[np.float64]:
    return np.frombuffer(b"".join(frames), "<i2").astype(np.float64)


def test_received_frames_pass_unchanged() -> None:
    concealer = Concealer()
    frames = tone(440, 5)
    assert [concealer.receive(frame) for frame in frames] == frames


@pytest.mark.parametrize("frequency_hz", [100, 160, 250, 400])
def test_a_lost_frame_of_a_voice_goes_on_without_a_click(frequency_hz: float) -> None:
    concealer = Concealer()
    frames = tone(frequency_hz, 6)
    heard = [concealer.receive(frame) for frame in frames[:3]]
    heard.append(concealer.conceal())
    heard += [concealer.receive(frame) for frame in frames[4:]]
    steepest = 8_000 * 2 * np.pi * frequency_hz / LINE_RATE_HZ
    assert np.abs(np.diff(samples(heard))).max() < 2 * steepest + 200
    assert level_dbov(heard[3]) == pytest.approx(level_dbov(frames[3]), abs=2)


def test_concealment_fades_to_nothing() -> None:
    concealer = Concealer()
    for frame in tone(200, 3):
        concealer.receive(frame)
    levels = [level_dbov(concealer.conceal()) for _ in range(5)]
    assert levels[0] > levels[1] > levels[2] > levels[3]
    assert levels[4] == -127.0


def test_the_frame_after_it_is_faded_in() -> None:
    concealer = Concealer()
    frames = tone(200, 8)
    for frame in frames[:3]:
        concealer.receive(frame)
    for _ in range(4):
        concealer.conceal()
    back = concealer.receive(frames[7])
    assert level_dbov(back[:32]) < level_dbov(frames[7][:32]) - 6
    assert back[160:] == frames[7][160:]


def test_without_a_past_there_is_silence() -> None:
    concealer = Concealer()
    assert concealer.conceal() == LINE_SILENCE_PCM
    for frame in tone(200, 3):
        concealer.receive(frame)
    assert concealer.fall_silent() == LINE_SILENCE_PCM
    assert concealer.conceal() == LINE_SILENCE_PCM


def test_loud_noise_does_not_wrap_around() -> None:
    noise = np.random.default_rng(1).choice([-32_768, 32_767], (3, 320)).astype("<i2")
    concealer = Concealer()
    for frame in noise:
        concealer.receive(frame.tobytes())
    assert np.abs(samples([concealer.conceal()])[:100]).min() > 20_000
