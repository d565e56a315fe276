from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.bots.local.turns import (
    BargeIn,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnDropped,
    TurnEnded,
    TurnEvent,
    TurnRules,
    Turns,
)
from talkbutton.protocols.speech import WINDOW_MS

pytestmark = pytest.mark.core

SPEECH, MUMBLE, SILENCE = 0.9, 0.4, 0.1


@dataclass(frozen=True)
class At:
    """An event, and the number of the window that gave it, from 1."""

    window: int
    event: TurnEvent


def play(turns: Turns, script: str) -> list[At]:
    """Feed one window for each letter.

    S speech, m mumbling, - silence; within parentheses the bot is audible.
    """
    events: list[At] = []
    number = 0
    is_bot_audible = False
    for letter in script:
        if letter in "()":
            is_bot_audible = letter == "("
            continue
        number += 1
        probability = {"S": SPEECH, "m": MUMBLE, "-": SILENCE}[letter]
        pcm = number.to_bytes(2, "little")
        heard = turns.hear(probability, pcm, is_bot_audible=is_bot_audible)
        events += [At(number, event) for event in heard]
    return events


def windows(pcm: bytes) -> list[int]:
    return [int.from_bytes(pcm[i : i + 2], "little") for i in range(0, len(pcm), 2)]


def kinds(events: list[At]) -> list[tuple[int, str]]:
    return [(at.window, type(at.event).__name__) for at in events]


def test_a_turn_starts_pauses_and_ends() -> None:
    events = play(Turns(), "-" * 20 + "SSSSSSSS" + "-" * 10)
    assert kinds(events) == [(22, "SpeechStarted"), (31, "SpeechPaused"), (38, "TurnEnded")]
    paused, ended = events[1].event, events[2].event
    assert isinstance(paused, SpeechPaused)
    assert windows(paused.pcm) == list(range(13, 32))  # 8 of pre-roll, speech, 3 of pause
    assert ended == TurnEnded(paused.pcm, 8 * WINDOW_MS, 10 * WINDOW_MS, is_barge_in=False)


def test_a_caller_who_goes_on_after_a_pause_keeps_the_turn() -> None:
    events = play(Turns(), "SSSS----SSSS" + "-" * 10)
    assert kinds(events) == [
        (2, "SpeechStarted"),
        (7, "SpeechPaused"),
        (9, "SpeechResumed"),
        (15, "SpeechPaused"),
        (22, "TurnEnded"),
    ]
    ended = events[-1].event
    assert isinstance(ended, TurnEnded)
    assert windows(ended.pcm) == list(range(1, 16))


def test_mumbling_keeps_speech_but_does_not_start_it() -> None:
    assert play(Turns(), "mmmmmmmm") == []
    assert kinds(play(Turns(), "SSS" + "m" * 20)) == [(2, "SpeechStarted")]


def test_a_single_window_is_no_speech() -> None:
    assert play(Turns(), "--S---S--S-") == []


def test_a_click_is_dropped() -> None:
    events = play(Turns(), "SS" + "-" * 10)
    assert events[-1] == At(12, TurnDropped(is_barge_in=False))


def test_speech_over_the_bot_interrupts_it() -> None:
    events = play(Turns(), "(" + "-" * 10 + "SSS" + ")" + "SS" + "-" * 10)
    assert events[:2] == [At(13, SpeechStarted(96)), At(13, BargeIn(96))]
    ended = events[-1].event
    assert isinstance(ended, TurnEnded)
    assert ended.is_barge_in


def test_two_windows_over_the_bot_are_no_interruption() -> None:
    assert play(Turns(), "(" + "-" * 10 + "SS-SS-SS---") == []


def test_the_bots_first_moments_can_not_interrupt_it() -> None:
    assert play(Turns(), "(SSSSSS---") == []
    events = play(Turns(), "(SSSSSSSSS")
    assert kinds(events) == [(9, "SpeechStarted"), (9, "BargeIn")]


def test_speech_that_began_before_the_bot_interrupts_it_at_once() -> None:
    assert kinds(play(Turns(), "SSSS(S")) == [(2, "SpeechStarted"), (5, "BargeIn")]


def test_no_second_interruption_within_the_cooldown() -> None:
    rules = TurnRules(cooldown_windows=40)
    script = "(" + "-" * 10 + "SSS)" + "-" * 10 + "(" + "-" * 10 + "SSSSSS" + "-" * 20 + "SSS"
    events = play(Turns(rules), script)
    barge_ins = [at.window for at in events if isinstance(at.event, BargeIn)]
    assert barge_ins == [13, 62]


def test_the_end_of_a_turn_follows_the_setting() -> None:
    assert TurnRules.with_end_silence(300).end_windows == 10
    assert TurnRules.with_end_silence(100).end_windows == 4
    turns = Turns(TurnRules.with_end_silence(100))
    assert kinds(play(turns, "SSSS----")) == [
        (2, "SpeechStarted"),
        (7, "SpeechPaused"),
        (8, "TurnEnded"),
    ]


def test_a_turn_without_end_is_cut_off_and_the_next_one_starts() -> None:
    events = play(Turns(TurnRules(turn_max_windows=30)), "S" * 45)
    assert kinds(events) == [(2, "SpeechStarted"), (30, "TurnEnded"), (32, "SpeechStarted")]


@given(st.lists(st.tuples(st.sampled_from([SPEECH, MUMBLE, SILENCE]), st.booleans()), max_size=300))
def test_whatever_is_heard_turns_begin_and_end_in_order(script: list[tuple[float, bool]]) -> None:
    turns = Turns(TurnRules(turn_max_windows=40))
    is_in_turn = is_paused = False
    for probability, is_bot_audible in script:
        for event in turns.hear(probability, b"..", is_bot_audible=is_bot_audible):
            match event:
                case SpeechStarted():
                    assert not is_in_turn
                    is_in_turn = True
                case BargeIn():
                    assert is_in_turn
                    assert is_bot_audible
                case SpeechPaused():
                    assert is_in_turn
                    assert not is_paused
                    is_paused = True
                case SpeechResumed():
                    assert is_paused
                    is_paused = False
                case TurnEnded() | TurnDropped():
                    assert is_in_turn
                    is_in_turn = is_paused = False
