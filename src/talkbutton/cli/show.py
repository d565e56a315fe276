"""Shows a person what ``up`` and ``install`` do: a live table at a terminal, plain lines else."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from talkbutton.operate.stack.diary import PartNews
from talkbutton.operate.stack.progress import Progress as InstallProgress
from talkbutton.settings.model import Settings

__all__ = ["TerminalShow"]

_PLAIN_EVERY_S = 5.0
_STYLES = {"ready": "green", "died": "bold red", "given up": "bold red", "restarted": "yellow"}
_STEP_MAX_CHARS = 48


class TerminalShow:
    """Writes to one console; use as a context manager.

    Args:
        console: Where to; defaults to standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._bar: Progress | None = None
        self._parts: dict[str, PartNews] = {}
        self._plain_at = 0.0
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end_bar()

    def say(self, text: str) -> None:
        """Show one line."""
        self._end_bar()
        self._console.print(text, markup=False, soft_wrap=True)

    def install_progress(self, progress: InstallProgress) -> None:
        """Show how far the installation is."""
        if progress.is_notable:
            self.say(progress.step)
        elif self._console.is_terminal:
            self._draw_bar(progress)
        elif progress.fraction >= 1.0 or time.monotonic() - self._plain_at > _PLAIN_EVERY_S:
            self._plain_at = time.monotonic()
            self._console.print(f"{progress.fraction:4.0%} {progress.step}", markup=False)
        if progress.fraction >= 1.0:
            self._end_bar()

    def part_news(self, news: PartNews) -> None:
        """Show what became of a part."""
        self._parts[news.part] = news
        if news.state == "starting":
            return
        after = f" after {news.after_s:.1f} s" if news.after_s is not None else ""
        detail = f": {news.detail}" if news.detail else ""
        style = _STYLES.get(news.state, "")
        stamp = time.strftime("%H:%M:%S ") if self._is_open else ""
        self._console.print(
            f"{stamp}{news.part} {news.state}{after}{detail}",
            style=style if self._console.is_terminal else None,
            markup=False,
            soft_wrap=True,
        )

    def is_open(self, settings: Settings) -> None:
        """Say that calls can be made, and where."""
        self._is_open = True
        table = Table("part", "state", "ready after")
        for news in self._parts.values():
            after = f"{news.after_s:.1f} s" if news.after_s is not None else ""
            table.add_row(news.part, news.state, after)
        self._console.print(table)
        url = settings.edge.public_url
        self._console.print(
            f"Open {url}/ in a browser and press the button. Ctrl-C stops everything.",
            markup=False,
            soft_wrap=True,
        )

    def _draw_bar(self, progress: InstallProgress) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.percentage:>3.0f}%"),
                BarColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}", markup=False),
                console=self._console,
                transient=True,
            )
            self._bar.add_task("", total=1.0)
            self._bar.start()
        step = progress.step[:_STEP_MAX_CHARS]
        self._bar.update(self._bar.task_ids[0], completed=progress.fraction, description=step)

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
