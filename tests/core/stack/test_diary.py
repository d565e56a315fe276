import pytest

from talkbutton.operate.stack.diary import PartNews, read_diary

pytestmark = pytest.mark.core

AT = "2026-11-23 06:38:48,100 INFO"


def news_of(line: str) -> tuple[str, str] | None:
    news = read_diary(line)
    return None if news is None else (news.part, news.state)


def test_an_end_says_how() -> None:
    killed = read_diary(f"{AT} exited: janus (exit status 137; not expected)")
    assert killed is not None
    assert killed.detail is not None
    assert killed.detail.startswith("killed by signal 9")
    ended = read_diary(f"{AT} exited: edge (exit status 3; not expected)")
    assert ended is not None
    assert ended.detail is not None
    assert ended.detail.startswith("exit status 3")
    aborted = read_diary(f"{AT} exited: bridge (terminated by SIGKILL; not expected)")
    assert aborted is not None
    assert aborted.state == "died"


def test_starts_and_giving_up_are_news() -> None:
    assert read_diary(f"{AT} spawned: 'janus' with pid 7") == PartNews("janus", "restarted")
    line = f"{AT} gave up: edge entered FATAL state, too many start retries too quickly"
    assert news_of(line) == ("edge", "given up")


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"{AT} supervisord started with pid 7750",
        f"{AT} success: janus entered RUNNING state, process has stayed up for > than 1 seconds",
        f"{AT} exited: stranger (exit status 1; not expected)",
        f"{AT} stopped: janus (exit status 0)",
    ],
)
def test_everything_else_is_not(line: str) -> None:
    assert read_diary(line) is None
