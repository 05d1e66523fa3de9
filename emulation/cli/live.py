"""What a run of the sender shows: a line that is drawn anew on a terminal, a line now and then elsewhere."""

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live as Drawn
from rich.text import Text

from emulation.cli.progress_display import BETWEEN_LINES
from emulation.producer.delivery_log import Counts


class Live:
    """Shows the counts on standard error until it is left."""

    def __init__(self, counts: Counts) -> None:
        self._counts, self._began = counts, time.monotonic()
        self._console = Console(stderr=True)
        self._over = threading.Event()
        self._drawn = Drawn(get_renderable=self._text, console=self._console, transient=True, refresh_per_second=4)
        self._lines = threading.Thread(target=self._print_lines, daemon=True)

    def __enter__(self) -> "Live":
        if self._console.is_terminal:
            self._drawn.start()
        else:
            self._lines.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if self._console.is_terminal:
            self._drawn.stop()

    def _text(self) -> Text:
        counts, seconds = self._counts, time.monotonic() - self._began
        codes = ", ".join(f"{code}: {number:,}" for code, number in sorted(counts.codes.items()))
        taken = f"acknowledged {counts.acknowledged:,} ({counts.acknowledged / max(seconds, 0.001):,.0f}/s)"
        rest = f"retried {counts.retried:,}, failed {counts.failed:,}; answers {codes or 'none yet'}"
        return Text(f"sent {counts.sent:,}, {taken}, {rest}")

    def _print_lines(self) -> None:
        before = 0
        while not self._over.wait(BETWEEN_LINES):
            # A request that is through changes the counts, and nothing else does but reading.
            now = self._counts.sent + self._counts.codes.total()
            if now != before:
                self._console.print(self._text(), soft_wrap=True)
            before = now
