"""Where a person or a script reads: a terminal that is edited in place, or a pipe that gets plain lines."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bot import drawing
from bot.reply import Reply
from bot.words import clean

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

_COLOURS = {"waiting": "dim", "running": "cyan", "done": "green", "failed": "red", "skipped": "dim"}


class Screen:
    """Draws replies; `folder` is where pictures and reports are written."""

    def __init__(self, output: TextIO | None, folder: Path, *, live: bool | None = None) -> None:
        self.output = output
        self.folder = folder
        self.live = (output is not None and output.isatty()) if live is None else live
        self.broken = output is None  # nobody reads any more
        self._printed: int | None = None  # into a pipe: how many steps of this answer stand there already
        self._drawing: Live | None = None
        if output is not None and hasattr(output, "reconfigure"):
            output.reconfigure(errors="replace")  # a terminal that knows no æ gets a question mark

    def show(self, reply: Reply, *, final: bool) -> None:
        """Draws an update of the running answer, or the answer."""
        draw = self._edit if self.live else self._append
        try:
            draw(reply, final)
        except BrokenPipeError:
            self._nobody_reads()

    def write(self, text: str) -> None:
        """Plain words, as they are."""
        if self.broken or self.output is None:
            return
        try:
            self.output.write(text)
            self.output.flush()
        except BrokenPipeError:
            self._nobody_reads()

    def save(self, reply: Reply) -> list[Path | str]:
        """Writes the files of an answer and says where they are, or what kept them from being written."""
        paths: list[Path | str] = []
        for attachment in reply.attachments:
            try:
                paths.append(drawing.save(attachment, self.folder))
            except OSError as error:
                paths.append(f"could not be written to {self.folder}: {error.strerror}")
        return paths

    def close(self) -> None:
        """Leaves the terminal as it was, whatever was being drawn."""
        if self._drawing is not None:
            self._drawing.stop()
            self._drawing = None

    def _nobody_reads(self) -> None:
        self.broken = True
        if self.output is not None and self.output is sys.stdout:
            # else the interpreter complains when it flushes at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.output.fileno())

    def _append(self, reply: Reply, final: bool) -> None:
        lines = []
        if self._printed is None and (reply.title or final):
            self._printed = 0
            lines += [drawing.top(reply)]
        for step in reply.steps[self._printed or 0 :]:
            if not (step.ended or final):
                break
            lines.append(drawing.line(step))
            self._printed = (self._printed or 0) + 1
        if final:
            lines.append(drawing.remainder(reply, self.save(reply)))
            self._printed = None
        self.write("".join(f"{line}\n" for line in lines if line))

    def _edit(self, reply: Reply, final: bool) -> None:
        from rich.console import Console  # drawing only: `say` into a pipe does without
        from rich.live import Live

        console = Console(file=self.output, highlight=False, markup=False, emoji=False, soft_wrap=False)
        if final:
            self.close()
            for part in self._parts(reply, self.save(reply), console.width):
                console.print(part)
            return
        if self._drawing is None:
            self._drawing = Live(
                console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._drawing.start()
        from rich.console import Group

        self._drawing.update(Group(*self._parts(reply, [], console.width)), refresh=True)

    def _parts(self, reply: Reply, paths: list[Path | str], most: int) -> "list[RenderableType]":
        from rich.text import Text

        parts: list[RenderableType] = []
        if reply.title:
            title = Text(drawing.top(reply), style="bold")
            if reply.going and any(action.label == "cancel" for action in reply.actions):
                title.append("   [Ctrl-C cancels]", style="cyan not bold")
            parts.append(title)
        for step in reply.steps:
            said = drawing.line(step)
            told = Text(said)
            told.stylize(_COLOURS[step.state], 0, 12)
            parts.append(told)
        told_next = "" if reply.going else drawing.following(reply)
        if reply.text:
            body = self._styled(reply)
            if told_next.startswith("["):
                body.append(f"   {told_next}", style="cyan")
                told_next = ""
            parts.append(body)
        if reply.table and reply.table.columns:
            drawn = drawing.table(reply.table, most)
            told = Text(drawn, no_wrap=True, overflow="ignore")  # it has its lines already
            told.stylize("dim", 0, drawn.find("\n") if "\n" in drawn else len(drawn))
            parts.append(told)
        for attachment, path in zip(reply.attachments, paths, strict=False):
            parts.append(Text.assemble(f"{clean(attachment.title)}: ", (drawing.place(path), "underline")))
        if told_next:
            parts.append(Text(told_next, style="cyan"))
        return parts

    def _styled(self, reply: Reply) -> "Text":
        """The text with its backticks as colour."""
        from rich.text import Text

        styled = Text()
        for number, piece in enumerate(clean(reply.text).split("`")):
            styled.append(piece, style="cyan" if number % 2 else "")
        return styled
