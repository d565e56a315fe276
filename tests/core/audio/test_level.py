import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.audio import level_dbov

pytestmark = pytest.mark.core


def test_a_square_wave_at_full_scale_is_overload() -> None:
    assert level_dbov(np.full(320, -32_768, "<i2").tobytes()) == 0.0


def test_a_sine_at_full_scale_is_3_db_below() -> None:
    sine = (32_767 * np.sin(2 * np.pi * np.arange(320) / 32)).astype("<i2")
    assert level_dbov(sine.tobytes()) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize("pcm", [b"", bytes(640)])
def test_silence_has_the_lowest_level(pcm: bytes) -> None:
    assert level_dbov(pcm) == -127.0


@given(st.binary(min_size=2, max_size=640).filter(lambda pcm: len(pcm) % 2 == 0))
def test_level_stays_in_range(pcm: bytes) -> None:
    assert -127.0 <= level_dbov(pcm) <= 0.0
    assert math.isfinite(level_dbov(pcm))
