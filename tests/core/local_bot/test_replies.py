import pytest

from talkbutton.bots.local import wording
from talkbutton.bots.local.answering import Answer, Command, Order, Unknown
from talkbutton.bots.local.knowledge import Entry
from talkbutton.bots.local.replies import Replies, Reply
from talkbutton.settings.model import BotSettings

pytestmark = pytest.mark.core

SETTINGS = BotSettings()
HOURS = Entry("When?", (), "From nine.", "a.md:1")


@pytest.fixture
def replies() -> Replies:
    return Replies(SETTINGS)


def test_answers_from_the_knowledge(replies: Replies) -> None:
    assert replies.choose(Answer(HOURS, 0.7)) == Reply("answer", "From nine.", "When?", 0.7)


def test_says_so_when_it_does_not_know(replies: Replies) -> None:
    assert replies.choose(Unknown(0.2)) == Reply("unknown", SETTINGS.unknown, similarity=0.2)


def test_repeats_what_it_said_last(replies: Replies) -> None:
    again = Order(Command.REPEAT)
    assert replies.choose(again).text == SETTINGS.greeting
    replies.choose(Answer(HOURS, 0.7))
    assert replies.choose(again) == Reply("repeat", "From nine.")
    assert replies.choose(again).text == "From nine."


def test_only_a_goodbye_hangs_up(replies: Replies) -> None:
    for command in Command:
        assert replies.choose(Order(command)).is_last == (command is Command.GOODBYE)


def test_no_after_the_offer_of_more_is_a_goodbye(replies: Replies) -> None:
    assert replies.choose(Order(Command.NO)).text == wording.NOTHING_MORE
    assert replies.choose(Order(Command.THANKS)).text == wording.WELCOME
    assert replies.choose(Order(Command.NO)).is_last


def test_every_fixed_reply_is_made_sound_of_beforehand(replies: Replies) -> None:
    decisions = [None, Unknown(None), *(Order(command) for command in Command)]
    said = {replies.choose(decision).text for decision in decisions}
    assert said <= set(Replies.all_texts(SETTINGS))
    assert Replies.all_texts(SETTINGS)[:2] == [SETTINGS.greeting, wording.APOLOGY]
