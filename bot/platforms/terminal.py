"""The terminal: a prompt with history and editing, or one message a line from a pipe."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TextIO

from opsdroid import connector
from opsdroid.connector import register_event

from bot.droid import Answer, Message
from bot.reply import Reply
from bot.screen import Screen

LONGEST_LINE = 1_000_000  # characters kept of one line; what is over is dropped
LEAVING = ("exit", "quit", "bye", ":q")


class Terminal(connector.Connector):
    """Reads lines, gives them to opsdroid and draws the answers; one at a time, in order.

    config: `screen` (a Screen), `input` (a text stream, by default standard input; None for none), `user`, `words`
    (for the Tab key), `opening` (lines that are said first, and shown).
    """

    def __init__(self, config: dict[str, Any], opsdroid: Any = None) -> None:
        super().__init__(config, opsdroid)
        self.name = "terminal"
        self.default_target = "terminal"
        self.screen: Screen = config["screen"]
        self.input: TextIO | None = config.get("input", sys.stdin)
        self.closed = asyncio.Event()
        self.reply: Reply | None = None  # the last answer, for the exit code of a script
        self.refused = 0  # answers that were not what was asked for
        self._editing = self.screen.live and self.input is sys.stdin and sys.stdin is not None and sys.stdin.isatty()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._restore: Callable[[], None] = lambda: None

    async def connect(self) -> None:
        if self._editing:
            self._restore = _settings_of(sys.stdin)
            _complete(self.config.get("words", ()))
        threading.Thread(target=self._read, args=(asyncio.get_running_loop(),), daemon=True).start()

    async def listen(self) -> None:
        try:
            for line in self.config.get("opening", ()):
                if not self.closed.is_set() and not self.screen.broken:
                    self.screen.write(f"> {line}\n")
                    await self._say(line)
                    self.screen.write("" if self._editing else "\n")
            while not self.closed.is_set() and not self.screen.broken:
                self._wanted.put(True)
                line = await self._lines.get()
                if line is None or line.strip().casefold() in LEAVING:
                    break
                if line.strip():
                    await self._say(line)
        finally:
            self.close()

    async def _say(self, line: str) -> None:
        user = self.config.get("user", "me")
        await self.opsdroid.parse(Message(line, user=user, user_id=user, target="terminal", connector=self))

    async def disconnect(self) -> None:
        self.close()
        self.screen.close()
        self._restore()

    def close(self) -> None:
        """Ends the conversation; a running answer is ended by whoever runs it."""
        if not self.closed.is_set():
            self.closed.set()
            self._lines.put_nowait(None)

    @register_event(Answer)
    async def send_answer(self, answer: Answer) -> None:
        self.screen.show(answer.reply, final=answer.final)
        if answer.final:
            self.reply = answer.reply
            self.refused += not answer.reply.ok
            if self._editing:
                self.screen.write("\n")

    @register_event(Message)
    async def send_message(self, message: Message) -> None:
        """What opsdroid itself has to say: that a skill broke."""
        self.screen.show(Reply(message.text, ok=False, holds="subjects"), final=True)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """A thread: reading blocks. It reads when a line is wanted, so that the prompt follows the answer."""
        while self._wanted.get():
            line = self._edited_line() if self._editing else self._piped_line()
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits for this line
                loop.call_soon_threadsafe(self._lines.put_nowait, line)
            if line is None:
                return

    def _edited_line(self) -> str | None:
        try:
            return input("> ")
        except EOFError:
            self.screen.write("\n")
            return None
        except UnicodeDecodeError:
            return "\ufffd"

    def _piped_line(self) -> str | None:
        if self.input is None:  # closed by whoever started us
            return None
        raw = getattr(self.input, "buffer", None)
        try:
            line = self.input.readline(LONGEST_LINE) if raw is None else raw.readline(LONGEST_LINE)
            longer = line
            while longer and len(longer) == LONGEST_LINE and longer[-1:] not in ("\n", b"\n"):
                longer = self.input.readline(LONGEST_LINE) if raw is None else raw.readline(LONGEST_LINE)
        except (OSError, ValueError):  # gone, or closed meanwhile
            return None
        if not line:
            return None
        return line if isinstance(line, str) else line.decode("utf-8", "replace").removeprefix("\ufeff")


def _settings_of(stream: TextIO) -> Callable[[], None]:
    """Gives back the terminal's settings: a line editor that is left in the middle keeps the echo off."""
    try:
        import termios
    except ImportError:  # Windows has none to give back
        return lambda: None
    before = termios.tcgetattr(stream)

    def restore() -> None:
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(stream, termios.TCSADRAIN, before)

    return restore


def _complete(words: tuple[str, ...]) -> None:
    """History and editing at the prompt, and the Tab key for the commands. The history is not kept on disk: people
    type personal data when they ask for access or erasure."""
    try:
        import readline
    except ImportError:  # a Python without it still reads lines
        return

    def complete(typed: str, number: int) -> str | None:
        start = readline.get_line_buffer()[: readline.get_endidx()]
        fitting = [word[len(start) - len(typed) :] for word in words if word.startswith(start)]
        return fitting[number] + " " if number < len(fitting) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" ")
    readline.parse_and_bind("tab: complete")
