import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.bots.local.answering import (
    Answer,
    Command,
    Order,
    Unknown,
    decide_by_meaning,
    decide_by_words,
    is_backchannel,
    match_command,
    split_sentences,
    words_heard,
)
from talkbutton.bots.local.knowledge import Entry

pytestmark = pytest.mark.core

HOURS = Entry("When are you open?", ("what are your hours",), "From nine.", "a.md:1")
PERSON = Entry("Can I speak to a real person?", (), "Call us.", "a.md:5")


@pytest.mark.parametrize(
    ("said", "command"),
    [
        ("Thank you. Goodbye.", Command.GOODBYE),
        ("Okay, bye-bye!", Command.GOODBYE),
        ("That's all.", Command.GOODBYE),
        ("Can I speak to a real person?", Command.HAND_OVER),
        ("I want to talk to sales.", Command.HAND_OVER),
        ("Please connect me with somebody", Command.HAND_OVER),
        ("A real person, please.", Command.HAND_OVER),
        ("Thank you very much.", Command.THANKS),
        ("Stop!", Command.STOP),
        ("Tat", Command.STOP),
        ("Council.", Command.STOP),
        ("Never mind.", Command.STOP),
        ("Could you repeat that, please?", Command.REPEAT),
        ("Pardon?", Command.REPEAT),
        ("Hello is anyone there?", Command.PRESENCE),
        ("Hello, is anyone their?", Command.PRESENCE),
        ("Yes, please.", Command.YES),
        ("No.", Command.NO),
        ("No, thank you.", Command.NO),
    ],
)
def test_finds_commands_by_their_words(said: str, command: Command) -> None:
    assert match_command(said) is command


@pytest.mark.parametrize(
    "said",
    [
        "",
        "...",
        "Who am I talking to?",
        "Am I talking to a real person?",
        "Are you a human?",
        "I want to cancel my order",
        "What are your opening hours?",
        "Do you have parking?",
        "I would like to know how I say goodbye to my old bicycle and get a new one",
        "Is there a free trial?",
        "Where can I stop with my car?",
    ],
)
def test_takes_no_question_for_a_command(said: str) -> None:
    assert match_command(said) is None


def test_what_the_owner_wrote_goes_before_a_command() -> None:
    said = "can I speak to a real person"
    assert decide_by_words(said, [HOURS, PERSON]) == Answer(PERSON, 1.0)
    assert decide_by_words(said, [HOURS]) == Order(Command.HAND_OVER)
    assert decide_by_words("what is it", [HOURS]) is None


def test_answers_by_the_nearest_wording_above_the_threshold() -> None:
    entries = [HOURS, PERSON]
    assert decide_by_meaning(entries, [0.2, 0.6, 0.5], threshold=0.45) == Answer(HOURS, 0.6)
    assert decide_by_meaning(entries, [0.2, 0.3, 0.45], threshold=0.45) == Answer(PERSON, 0.45)
    assert decide_by_meaning(entries, [0.2, 0.3, 0.4], threshold=0.45) == Unknown(0.4)
    assert decide_by_meaning([], [], threshold=0.45) == Unknown(None)


@pytest.mark.parametrize(
    ("said", "is_one"), [("Mm-hmm.", True), ("Okay.", True), ("", True), ("Stop", False)]
)
def test_knows_a_backchannel(said: str, *, is_one: bool) -> None:
    assert is_backchannel(said) is is_one


def test_splits_sentences() -> None:
    assert split_sentences(" It costs $1.50. Really?  Yes! ") == [
        "It costs $1.50.",
        "Really?",
        "Yes!",
    ]


@pytest.mark.parametrize(
    ("fraction", "heard"),
    [(0.0, ""), (0.3, "We are"), (0.5, "We are open"), (1.0, "We are open today.")],
)
def test_tells_which_words_were_heard(fraction: float, heard: str) -> None:
    assert words_heard("We are open today.", fraction) == heard


@given(st.text(), st.floats(0, 1))
def test_what_was_heard_is_a_beginning(text: str, fraction: float) -> None:
    heard = words_heard(text, fraction).split()
    assert text.split()[: len(heard)] == heard
    assert words_heard(text, 1.0).split() == text.split()
