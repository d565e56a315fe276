"""What was played and what was cut add up to what was queued."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.bots.interface import Heard
from talkbutton.bridge.play_queue import PlayQueue
from talkbutton.protocols.audio.frame import LINE_FRAME_BYTES

pytestmark = pytest.mark.core

FRAME_SAMPLES = LINE_FRAME_BYTES // 2


def samples(count: int, first: int = 1) -> bytes:
    """Return ``count`` samples that can be told apart, none of them silent."""
    return b"".join((1 + (first + i) % 30_000).to_bytes(2, "little") for i in range(count))


def test_is_silent_when_nothing_was_said() -> None:
    queue = PlayQueue()
    assert queue.is_empty
    assert queue.next_frame() is None
    assert queue.cut() == []


def test_pieces_of_any_length_leave_no_gap() -> None:
    queue = PlayQueue()
    audio = samples(FRAME_SAMPLES * 2)
    for start, end in ((0, 10), (10, 900), (900, len(audio))):
        queue.say("a", audio[start:end])
    assert [queue.next_frame(), queue.next_frame(), queue.next_frame()] == [
        audio[:LINE_FRAME_BYTES],
        audio[LINE_FRAME_BYTES:],
        None,
    ]


def test_silence_fills_the_last_frame() -> None:
    queue = PlayQueue()
    queue.say("a", samples(10))
    assert queue.next_frame() == samples(10) + bytes(LINE_FRAME_BYTES - 20)
    assert queue.is_empty


def test_one_frame_may_end_one_utterance_and_begin_the_next() -> None:
    queue = PlayQueue()
    queue.say("a", samples(100))
    queue.say("b", samples(500))
    queue.next_frame()
    assert queue.progress("a").played_samples == 100
    assert queue.progress("b").played_samples == 220
    assert queue.cut() == [Heard("b", 13, 31)]


def test_a_cut_tells_what_was_heard_of_everything_that_had_audio_left() -> None:
    queue = PlayQueue()
    for name in ("done", "half", "unheard"):
        queue.say(name, samples(FRAME_SAMPLES * 2))
    for _ in range(3):
        queue.next_frame()
    assert queue.cut() == [Heard("half", 20, 40), Heard("unheard", 0, 40)]
    assert queue.next_frame() is None
    assert queue.played_ms("done") == 40
    assert queue.cut() == []


def test_an_utterance_may_go_on_after_it_was_played_or_cut() -> None:
    queue = PlayQueue()
    queue.say("a", samples(FRAME_SAMPLES))
    queue.next_frame()
    queue.say("a", samples(FRAME_SAMPLES))
    assert queue.cut() == [Heard("a", 20, 40)]
    queue.say("a", samples(FRAME_SAMPLES))
    assert queue.cut() == [Heard("a", 20, 60)]


def test_refuses_half_a_sample() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        PlayQueue().say("a", b"abc")


def test_remembers_a_bounded_number_of_finished_utterances() -> None:
    queue = PlayQueue()
    for number in range(500):
        queue.say(f"u{number}", samples(FRAME_SAMPLES))
        queue.next_frame()
    assert queue.played_ms("u499") == 20
    assert queue.played_ms("u0") == 0


def test_never_forgets_what_is_still_queued() -> None:
    queue = PlayQueue()
    for number in range(500):
        queue.say(f"u{number}", samples(1))
    assert [heard.utterance_id for heard in queue.cut()] == [f"u{n}" for n in range(500)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abc"), st.integers(0, 1_000)),
        st.just("play"),
        st.just("cut"),
    ),
    max_size=60,
)


@given(STEPS)
def test_played_and_cut_add_up_to_queued(steps: list[tuple[str, int] | str]) -> None:
    queue = PlayQueue()
    queued = dict.fromkeys("abc", 0)
    cut = dict.fromkeys("abc", 0)
    waiting = b""  # what must come next
    said = 0
    for step in [*steps, "cut"]:
        match step:
            case (name, count):
                pcm = samples(int(count), said)
                said += int(count)
                queue.say(str(name), pcm)
                queued[str(name)] += int(count)
                waiting += pcm
            case "play":
                frame = queue.next_frame()
                expected, waiting = waiting[:LINE_FRAME_BYTES], waiting[LINE_FRAME_BYTES:]
                assert (frame or b"").rstrip(b"\0") == expected.rstrip(b"\0")
                assert frame is None or len(frame) == LINE_FRAME_BYTES
            case _:
                left = {name: queue.progress(name).left_samples for name in "abc"}
                assert {heard.utterance_id for heard in queue.cut()} == {
                    name for name, count in left.items() if count
                }
                waiting = b""
                for name in "abc":
                    cut[name] += left[name]
    assert queue.is_empty
    for name in "abc":
        assert queue.progress(name).played_samples + cut[name] == queued[name]
