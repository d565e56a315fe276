from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.bots.local.knowledge import (
    SAMPLE_KNOWLEDGE_DIR,
    Entry,
    load_knowledge,
    normalize,
    parse_knowledge,
)
from talkbutton.errors import SettingsError

pytestmark = pytest.mark.core

SHOP = """\
# The shop

<!-- ## Not a question? -->
Words for the reader of this file.

## When are you open?
> what are your hours
>opening times

From **nine** to six,
see [our page](https://example.com).

- Closed on Sunday
- Closed on Monday.

# Something else

This is no answer.

## Where? ##
Here.
"""


def test_reads_questions_wordings_and_answers() -> None:
    assert parse_knowledge(SHOP, "shop.md") == [
        Entry(
            "When are you open?",
            ("what are your hours", "opening times"),
            "From nine to six, see our page. Closed on Sunday. Closed on Monday.",
            "shop.md:6",
        ),
        Entry("Where?", (), "Here.", "shop.md:20"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "shop.md holds no question"),
        ("# Only a title\nwords", "shop.md holds no question"),
        ("\n## When?\n> at what time\n\n## Where?\nHere.", "shop.md:2 'When\\?' has no answer"),
        ("## When?\n...", "shop.md:1 'When\\?' has no answer"),
        ("## When?\nNow.\n### Details\nMore.", "shop.md:3 is a heading that is no question"),
        ("##\nNow.", "shop.md:1 is a heading that is no question"),
        ("## When?\n" + "word " * 200, "shop.md:1 has an answer of 999 characters"),
    ],
)
def test_names_file_and_line_of_what_makes_no_sense(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_knowledge(text, "shop.md")


@given(st.text(alphabet="#>-*[]() ab\n?.<!", max_size=80))
def test_any_text_gives_entries_or_the_documented_error(text: str) -> None:
    try:
        entries = parse_knowledge(text, "x.md")
    except SettingsError:
        return
    assert all(normalize(entry.question) and normalize(entry.answer) for entry in entries)


def test_reads_the_files_of_a_folder_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("## Two?\nTwo.", encoding="utf-8")
    (tmp_path / "a.md").write_bytes(b"\xef\xbb\xbf## One?\r\nOne.\r\n")
    (tmp_path / "notes.txt").write_text("not knowledge", encoding="utf-8")
    assert [(entry.question, entry.answer) for entry in load_knowledge(tmp_path)] == [
        ("One?", "One."),
        ("Two?", "Two."),
    ]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere is missing: .*set bot\.knowledge_dir"):
        load_knowledge(tmp_path / "nowhere")


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds no file that ends in \.md"):
        load_knowledge(tmp_path)


def test_a_file_instead_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(SettingsError, match="file can not be read: Not a directory"):
        load_knowledge(tmp_path / "file")


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"## One?\nCaf\xe9 time.\n")
    with pytest.raises(SettingsError, match=r"a\.md:2 is not UTF-8 \(byte 0xe9\); save the file"):
        load_knowledge(tmp_path)


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").mkdir()
    with pytest.raises(SettingsError, match=r"a\.md can not be read: Is a directory"):
        load_knowledge(tmp_path)


def test_a_question_that_stands_twice_is_named_with_both_places(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("## When?\n> what hours\nNow.", encoding="utf-8")
    (tmp_path / "b.md").write_text("\n## Hours?\n> What hours!\nNow.", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"b\.md:2 has .* stands in .*a\.md:1 already"):
        load_knowledge(tmp_path)


def test_the_sample_can_be_spoken() -> None:
    for entry in load_knowledge(SAMPLE_KNOWLEDGE_DIR):
        assert 8 <= len(entry.answer.split()) <= 25, entry
        assert len(entry.wordings) >= 2, entry
