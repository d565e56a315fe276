import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.audio import decode_ulaw, encode_ulaw
from talkbutton.protocols.audio.ulaw import ULAW_SILENCE

pytestmark = pytest.mark.core


@pytest.mark.parametrize(
    ("octet", "sample"),
    [
        (0x00, -32_124),
        (0x0F, -16_764),
        (0x10, -15_996),
        (0x7E, -8),
        (0x7F, 0),
        (0x80, 32_124),
        (0xF0, 120),
        (0xFE, 8),
        (0xFF, 0),
    ],
)
def test_decodes_the_values_of_the_standard(octet: int, sample: int) -> None:
    assert decode_ulaw(bytes([octet])).tolist() == [sample]


@pytest.mark.parametrize(
    ("sample", "octet"),
    [
        (0, 0xFF),
        (8, 0xFE),
        (-8, 0x7E),
        (120, 0xF0),
        (32_124, 0x80),
        (32_767, 0x80),
        (-32_768, 0x00),
    ],
)
def test_encodes_the_values_of_the_standard(sample: int, octet: int) -> None:
    assert encode_ulaw(np.array([sample], np.int16)) == bytes([octet])


def test_every_octet_but_minus_zero_survives_the_round_trip() -> None:
    octets = bytes(octet for octet in range(256) if octet != 0x7F)
    assert encode_ulaw(decode_ulaw(octets)) == octets
    assert encode_ulaw(decode_ulaw(b"\x7f")) == bytes([ULAW_SILENCE])


@given(st.lists(st.integers(-32_635, 32_635), min_size=1, max_size=400))
def test_round_trip_errs_by_half_a_step_at_most(samples: list[int]) -> None:
    before = np.array(samples, np.int16)
    after = decode_ulaw(encode_ulaw(before)).astype(int)
    magnitude = np.abs(before.astype(int)) + 132
    half_step = 2.0 ** (np.floor(np.log2(magnitude)) - 5)
    assert np.all(np.abs(after - before) <= half_step)


def test_all_samples_are_encoded_in_order_of_size() -> None:
    after = decode_ulaw(encode_ulaw(np.arange(-32_768, 32_768, dtype=np.int16)))
    assert np.all(np.diff(after.astype(int)) >= 0)
