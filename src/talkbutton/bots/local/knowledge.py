"""What the owner wants answered: Markdown files with questions and answers.

    ## What are your opening hours?      a question
    > when are you open                  the same in other words, any number of lines
                                         then the answer, in words that can be spoken
    We are open from nine to six.

What stands before a file's first question is for its readers. A first-level heading ends an
answer. An answer may be several paragraphs or a list; marks of emphasis and links are left out of
what is spoken.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from talkbutton.errors import SettingsError

__all__ = [
    "ANSWER_MAX_CHARACTERS",
    "SAMPLE_KNOWLEDGE_DIR",
    "Entry",
    "load_knowledge",
    "normalize",
    "parse_knowledge",
]

ANSWER_MAX_CHARACTERS = 600
"""Longest answer; it takes some forty seconds to say."""

SAMPLE_KNOWLEDGE_DIR = Path(__file__).parent / "sample_knowledge"
"""What an invented bicycle shop knows; a start for one's own."""

_HEADING = re.compile(r"^(#+)\s*(.*?)\s*#*\s*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_LIST_MARK = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_EMPHASIS = re.compile(r"[*_`]+")
_NOT_WORD = re.compile(r"[^a-z0-9à-ÿ' ]+")
_QUESTION_LEVEL = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One question with its answer.

    Attributes:
        question: The heading.
        wordings: The same question in other words.
        answer: What is said, as plain text.
        source: File and line of the heading, such as ``shop.md:7``.
    """

    question: str
    wordings: tuple[str, ...]
    answer: str
    source: str

    @property
    def all_wordings(self) -> tuple[str, ...]:
        """The question and its other wordings."""
        return (self.question, *self.wordings)


@dataclass
class _Draft:
    question: str
    line_number: int
    wordings: list[str]
    answer_lines: list[str]


def normalize(text: str) -> str:
    """Return ``text`` in small letters, without punctuation and double spaces."""
    return " ".join(_NOT_WORD.sub(" ", text.lower().replace("’", "'")).split())


def parse_knowledge(text: str, name: str) -> list[Entry]:
    """Return the entries of one file.

    Args:
        text: The file's content.
        name: The file's name, for messages.

    Raises:
        SettingsError: If a question has no answer or an answer can not be spoken; names the line.
    """
    entries = [_finish(draft, name) for draft in _drafts(_without_comments(text), name)]
    if not entries:
        raise SettingsError(
            name, "holds no question", hint="start each question with a line such as '## Question?'"
        )
    return entries


def load_knowledge(folder: Path) -> list[Entry]:
    """Return the entries of all ``*.md`` files in ``folder``.

    Raises:
        SettingsError: If the folder is missing or empty, a file can't be read, or a question
            stands there twice; names file and line, and says what to do.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".md")
    except FileNotFoundError:
        raise SettingsError(
            str(folder),
            "is missing: the bot has no knowledge",
            hint="make the folder, or set bot.knowledge_dir to the right one",
        ) from None
    except OSError as exc:
        raise SettingsError(
            str(folder), f"can not be read: {exc.strerror}", hint="check bot.knowledge_dir"
        ) from exc
    if not paths:
        raise SettingsError(
            str(folder),
            "holds no file that ends in .md: the bot has no knowledge",
            hint="put a Markdown file with '## Question?' and its answer there",
        )
    entries = [entry for path in paths for entry in parse_knowledge(_read(path), str(path))]
    _refuse_duplicates(entries)
    return entries


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise SettingsError(
            str(path), f"can not be read: {exc.strerror}", hint="check the file and its rights"
        ) from exc
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line_number = content.count(b"\n", 0, exc.start) + 1
        raise SettingsError(
            f"{path}:{line_number}",
            f"is not UTF-8 (byte {content[exc.start]:#04x})",
            hint="save the file with the encoding UTF-8",
        ) from None


def _without_comments(text: str) -> str:
    """Blank out HTML comments, keeping the lines' numbers."""
    return _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)


def _drafts(text: str, name: str) -> Iterable[_Draft]:
    draft: _Draft | None = None
    for line_number, line in enumerate(text.splitlines(), start=1):
        heading = _HEADING.match(line)
        if heading is None:
            if draft is not None:
                _add_line(draft, line)
            continue
        if draft is not None:
            yield draft
        draft = None
        level, title = len(heading[1]), heading[2]
        if level == _QUESTION_LEVEL and normalize(title):
            draft = _Draft(title, line_number, [], [])
        elif level >= _QUESTION_LEVEL:
            raise SettingsError(
                f"{name}:{line_number}",
                f"is a heading that is no question: {line.strip()!r}",
                hint="write questions as '## Question?' and use no deeper headings",
            )
    if draft is not None:
        yield draft


def _add_line(draft: _Draft, line: str) -> None:
    if line.lstrip().startswith(">") and not any(map(str.strip, draft.answer_lines)):
        wording = line.lstrip()[1:].strip()
        if normalize(wording):
            draft.wordings.append(wording)
    else:
        draft.answer_lines.append(line)


def _finish(draft: _Draft, name: str) -> Entry:
    source = f"{name}:{draft.line_number}"
    answer = _speakable(draft.answer_lines)
    if not normalize(answer):
        raise SettingsError(
            source, f"{draft.question!r} has no answer", hint="write the answer below the question"
        )
    if len(answer) > ANSWER_MAX_CHARACTERS:
        raise SettingsError(
            source,
            f"has an answer of {len(answer)} characters, which takes too long to say",
            hint=f"shorten it to {ANSWER_MAX_CHARACTERS}, or make several questions of it",
        )
    return Entry(draft.question, tuple(draft.wordings), answer, source)


def _speakable(lines: list[str]) -> str:
    spoken: list[str] = []
    for line in lines:
        is_item = _LIST_MARK.match(line) is not None
        words = _EMPHASIS.sub("", _LINK.sub(r"\1", _LIST_MARK.sub("", line))).strip()
        if is_item and words and words[-1] not in ".!?,;:":
            words += "."
        spoken.append(words)
    return " ".join(" ".join(spoken).split())


def _refuse_duplicates(entries: list[Entry]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        for wording in {normalize(wording): wording for wording in entry.all_wordings}.items():
            first = seen.setdefault(wording[0], entry.source)
            if first != entry.source:
                raise SettingsError(
                    entry.source,
                    f"has the question {wording[1]!r}, which stands in {first} already",
                    hint="remove one of the two",
                )
