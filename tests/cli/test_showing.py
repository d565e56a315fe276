"""What a terminal and a log file are shown."""

import io

import pytest
from rich.console import Console

from talkbutton.cli.show import TerminalShow
from talkbutton.operate.stack.diary import PartNews
from talkbutton.operate.stack.progress import Progress
from talkbutton.settings.model import Settings

pytestmark = pytest.mark.cli


def shown(*, is_terminal: bool) -> tuple[TerminalShow, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=100, color_system=None)
    return TerminalShow(console), out


def test_the_url_is_on_exactly_one_line_of_its_own() -> None:
    show, out = shown(is_terminal=False)
    with show:
        show.part_news(PartNews("janus", "starting"))
        show.part_news(PartNews("janus", "ready", 0.25))
        show.is_open(Settings(version=1))
    lines = [line for line in out.getvalue().splitlines() if "http" in line]
    assert len(lines) == 1
    assert lines[0].startswith("Open http://127.0.0.1:8080/ ")


def test_a_death_is_said_with_the_time() -> None:
    show, out = shown(is_terminal=False)
    with show:
        show.is_open(Settings(version=1))
        show.part_news(PartNews("edge", "died", detail="killed by signal 9"))
        show.part_news(PartNews("edge", "restarted"))
    died, restarted = out.getvalue().splitlines()[-2:]
    assert died.endswith("edge died: killed by signal 9")
    assert died[2] == ":"
    assert restarted.endswith("edge restarted")


def test_a_log_file_gets_few_plain_lines_but_every_notable_one() -> None:
    show, out = shown(is_terminal=False)
    with show:
        for percent in range(100):
            show.install_progress(Progress(percent / 100, f"unpacking {percent}"))
        show.install_progress(Progress(0.5, "the date is not checked", is_notable=True))
        show.install_progress(Progress(1.0, "installed"))
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().splitlines() == [
        "  0% unpacking 0",
        "the date is not checked",
        "100% installed",
    ]


def test_a_terminal_gets_a_bar_that_goes_away() -> None:
    show, out = shown(is_terminal=True)
    with show:
        show.install_progress(Progress(0.4, "unpacking janus"))
        show.install_progress(Progress(1.0, "installed"))
        show.say("done")
    bar, _, rest = out.getvalue().rpartition("\x1b[2K")  # the line is erased, then reused
    assert "100%" in bar
    assert rest == "done\n"


def test_brackets_in_what_parts_say_are_not_markup() -> None:
    show, out = shown(is_terminal=False)
    with show:
        show.say("asterisk | [bold]NOTICE[2][/bold]")
    assert "[bold]NOTICE[2][/bold]" in out.getvalue()
