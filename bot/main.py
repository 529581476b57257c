"""The bot: opsdroid with every skill, on the platforms it is given."""

import asyncio
import contextlib
import logging
import pkgutil
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import httpx
from structlog.contextvars import bound_contextvars

from bot import alerts, grammar, platforms, problems, strangers, suggestions
from bot.client import Atlas, AtlasProblem
from bot.droid import Answer, Droid, Message
from bot.grammar import Command, Missing
from bot.inbox import Heard, Inbox
from bot.loops import Loops
from bot.memory import Memory, Who
from bot.posting import CannotPost
from bot.reply import Reply, misread

if TYPE_CHECKING:
    from bot.web import Web

log = logging.getLogger("atlas.bot")

GRACE = 3.0  # seconds between Ctrl-C and the end of a command that has not said anything yet
OnUpdate = Callable[[Reply], None]
HERE = ("say", "terminal")  # here the token says who speaks; no message is stored


@dataclass(eq=False)
class Talk:
    """One message that is being answered."""

    task: "asyncio.Task[Any] | None"
    reply: Reply | None = None
    stopping: bool = False
    cancelling: bool = False
    stopped: bool = False


class Bot:
    """Answers people. `async with Bot(http, {"terminal": {…}}) as bot:`; `http` is a client of the Atlas API.

    The platforms are files of `bot/platforms/`, by name, each with its settings. Those that are called over HTTP are
    called on `listen`, host:port, by connections that `protocol` bounds.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        platforms: Mapping[str, Mapping[str, Any]] | None = None,
        listen: str = "127.0.0.1:0",
        *protocol: type[asyncio.Protocol],
    ) -> None:
        self.atlas = Atlas(http)
        self.http = http
        self._platforms = {"say": {}, **(platforms or {})}
        self._listen, self._protocol = listen, protocol
        self.web: Web | None = None
        chats = [name for name in self._platforms if name not in HERE]
        self.inbox = Inbox(http, chats, self._answer) if chats else None
        known = platform_names()
        if unknown := set(self._platforms) - set(known):
            # opsdroid would look for a repository of that name and run it
            raise ValueError(f"There is no platform `{min(unknown)}`. Known: {', '.join(known)}.")
        self._droid = Droid(config=self._config(), loopless=True)
        self._running: asyncio.Task[None] | None = None
        self.loops = Loops()
        self._talks: set[Talk] = set()
        self._memory = Memory()
        self.interrupted = False
        self._background: set[asyncio.Task[Any]] = set()

    def _config(self) -> dict[str, Any]:
        return {
            "connectors": {
                name: {**settings, "module": f"bot.platforms.{name}", "bot": self}
                for name, settings in self._platforms.items()
            },
            "skills": {"atlas": {"module": "bot.hearing", "bot": self}},
            "parsers": {},
            "logging": {"path": None},
            "welcome-message": False,
        }

    async def __aenter__(self) -> Self:
        self._droid.eventloop = asyncio.get_running_loop()
        self._droid.__enter__()
        try:
            await self._droid.load()
            if not self._droid.skills or len(self._droid.connectors) != len(self._platforms):
                raise RuntimeError("opsdroid did not load every part of the bot; its reason is in the log.")
        except BaseException:
            self._droid.__exit__()
            raise
        self._running = asyncio.create_task(self._droid.start())
        while not (self._droid.is_running() or self._running.done()):
            await asyncio.sleep(0.001)  # until every platform is connected: opsdroid cannot be stopped before
        if self._running.done():
            self._droid.__exit__()
            self._running.result()  # raises what kept a platform from connecting
        if self.inbox:
            await self.inbox.start(self.loops)
        if routes := [route for connector in self._droid.connectors for route in getattr(connector, "routes", ())]:
            from bot.web import Web

            self.web = Web(self._listen, routes, self.loops, *self._protocol)
            try:
                await self.web.start()
            except OSError:
                await self.__aexit__()
                raise
        if posting := {c.name: c for c in self._droid.connectors if hasattr(c, "post")}:
            self.loops.start("alerts", lambda: alerts.post_due(self.atlas, posting))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.web:
            await self.web.stop()
        await self.loops.close()
        if self.inbox:
            await self.inbox.close()
        for talk in list(self._talks):
            if talk.task:
                talk.task.cancel()
        await self._droid.stop()
        await self._droid.unload()
        assert self._running is not None
        with contextlib.suppress(asyncio.CancelledError):
            await self._running
        self._droid.__exit__()

    def platform(self, name: str) -> Any:
        """A platform that is running, by name."""
        return next(connector for connector in self._droid.connectors if connector.name == name)

    async def closed(self) -> None:
        """Waits until the people on one of the platforms have gone; raises what ended a platform."""
        assert self._running is not None
        ends = [c.closed for c in self._droid.connectors if hasattr(c, "closed")]
        waiting = [asyncio.create_task(end.wait()) for end in ends]
        done, _ = await asyncio.wait([*waiting, self._running], return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if self._running in done:
            self._running.result()

    async def ask(self, text: str, on_update: OnUpdate | None = None) -> Reply:
        """Says one thing and waits for the answer; `on_update` sees each step of something that takes time."""
        if not text.strip():
            return misread("Nothing was said.", "help")
        answers: list[Reply] = []

        def listen(reply: Reply, final: bool) -> None:
            if final:
                answers.append(reply)
            elif on_update:
                on_update(reply)

        message = Message(text, user="me", user_id="me", target="say", connector=self.platform("say"), raw_event=listen)
        await self._droid.parse(message)
        return answers[0] if answers else Reply("Atlas has no answer to that.", ok=False, holds="counts")

    def interrupt(self) -> bool:
        """Ctrl-C, from the host's signal handler. A run that is waited for is cancelled, any other work is left, and
        at the prompt the conversation ends. False if there was nothing left to interrupt."""
        self.interrupted = True
        if not self._talks:
            open_ones = [c for c in self._droid.connectors if hasattr(c, "closed") and not c.closed.is_set()]
            for connector in open_ones:
                connector.close()
            return bool(open_ones)
        heard = False
        for talk in self._talks:
            if self._cancels(talk):
                heard = True
            elif talk.reply is None and not talk.stopping:
                # it may be starting a run this very moment, which is cancelled as soon as it is known
                talk.stopping = heard = True
                asyncio.get_running_loop().call_later(GRACE, self._gives_up, talk)
            else:
                heard = self._leaves(talk) or heard
        return heard

    def _cancels(self, talk: Talk) -> bool:
        """Cancels the run that is waited for, once; False if there is none."""
        cancel = next((a.command for a in talk.reply.actions if a.label == "cancel"), None) if talk.reply else None
        if cancel is None or talk.cancelling:
            return False
        talk.cancelling = True
        task = asyncio.get_running_loop().create_task(self.ask(cancel))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return True

    def _leaves(self, talk: Talk) -> bool:
        """Waits no longer for an answer; False if it did not."""
        if talk.task is None or talk.stopped or talk not in self._talks:
            return False
        talk.stopped = True
        talk.task.cancel()
        return True

    def _gives_up(self, talk: Talk) -> None:
        if talk.reply is None:
            self._leaves(talk)

    async def _answer(self, heard: Heard) -> None:
        """Answers what came through the inbox."""
        platform = self.platform(heard.person.partition(":")[0])
        await self._droid.parse(
            Message(
                heard.text, user=heard.person, user_id=heard.person, target=heard.person, connector=platform,
                raw_event=heard,
            )
        )  # fmt: skip

    async def hear(self, message: Message) -> None:
        """Answers one message of any platform: updates first, then the answer; under an id, here and in the API."""
        with bound_contextvars(request=secrets.token_hex(16)):
            await self._hear(message)

    async def _hear(self, message: Message) -> None:
        talk = Talk(asyncio.current_task())
        self._talks.add(talk)
        who = (message.connector.name, str(message.user_id))
        heard = message.raw_event
        atlas = Atlas(self.http, heard.person, heard.key) if isinstance(heard, Heard) else self.atlas
        try:
            async for reply in self.answers(message.text, who, atlas):
                talk.reply = reply
                if talk.stopping:
                    self._cancels(talk)
                if reply.going:
                    await self._respond(message, reply, final=False)
        except asyncio.CancelledError:
            if not talk.stopped:
                raise
            talk.reply = _left(talk.reply)
        finally:
            self._talks.discard(talk)
        if talk.reply is not None:
            await self._respond(message, talk.reply, final=True)

    async def _respond(self, message: Message, reply: Reply, *, final: bool) -> None:
        """Has the platform draw a reply; what keeps it from being posted is told to the inbox."""
        if isinstance(message.raw_event, Heard):
            message.raw_event.goes_on()
        try:
            await message.respond(Answer(reply, final=final))
        except CannotPost as problem:
            log.warning("an answer could not be posted on %s: %s", message.connector.name, problem.reason)
            if final and isinstance(message.raw_event, Heard):
                message.raw_event.problem = problem

    async def answers(self, line: str, who: Who = ("", ""), atlas: Atlas | None = None) -> AsyncIterator[Reply]:
        """The replies to a line: progress, then the answer; nothing to an empty line."""
        atlas = atlas or self.atlas
        command = self._memory.meant(line, who)
        if command is None:
            return
        if atlas.person and not (isinstance(command, Command) and command.skill.name in strangers.MAY_SAY):
            try:
                if not (await atlas.me())["user"]:
                    yield strangers.unknown()
                    return
            except AtlasProblem as problem:
                yield problems.about_a_person(problem)
                return
        if isinstance(command, Missing):
            self._memory.asked_for_the_rest(who, command.said)
            yield await suggestions.ask_for(command, atlas)
            return
        if isinstance(command, grammar.Guess) and not await suggestions.is_there(command, atlas):
            command = command.otherwise
        if isinstance(command, Reply):
            if not command.ok and command.actions:
                self._memory.offered(who, command.actions[0].command)
            yield command
            return
        log.info("asked", extra={"skill": command.skill.name})
        try:
            async for reply in command.skill.answer(atlas, command.values):
                yield reply
        except AtlasProblem as problem:
            reply = problems.as_reply(problem, command)
            if problem.nearest and reply.actions:
                self._memory.offered(who, reply.actions[0].command)
            yield reply
        except Exception as error:  # noqa: BLE001 - a bug in one skill must not end the conversation; it is logged
            yield problems.bug(error, command)


def _left(reply: Reply | None) -> Reply:
    """The answer to a person who does not want to wait."""
    run = reply.facts.get("run") if reply else None
    if reply is None or run is None:
        return Reply("Stopped.", ok=False, holds="counts")
    return replace(reply, text=f"Stopped waiting for run #{run}.", next=[f"status {run}", f"cancel {run}"], ok=False)


def platform_names() -> tuple[str, ...]:
    """The platforms of `bot/platforms/`."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(platforms.__path__) if not m.name.startswith("_")))
