"""The bot: opsdroid with every skill, on the platforms it is given."""

import asyncio
import contextlib
import logging
import pkgutil
import secrets
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import httpx
from structlog.contextvars import bound_contextvars

from bot import alerts, grammar, platforms, strangers
from bot.client import Atlas, AtlasProblem
from bot.droid import Answer, Droid, Message
from bot.grammar import Command, Missing
from bot.inbox import Heard, Inbox
from bot.loops import Loops
from bot.posting import CannotPost
from bot.reply import Action, Holds, Reply, misread
from bot.skill import skills
from bot.skills.pii import KINDS
from bot.words import listing, sentence

if TYPE_CHECKING:
    from bot.web import Web

log = logging.getLogger("atlas.bot")

GRACE = 3.0  # seconds between Ctrl-C and the end of a command that has not said anything yet
OnUpdate = Callable[[Reply], None]
NOUNS = {
    "node": "table or column", "subject": "pipeline or run", "model": "table or dataset", "table": "dataset or table",
    "topic": "command",
}  # fmt: skip
HERE = ("say", "terminal")  # who speaks there is known by the token; nothing said there is kept
SAYS_NO_MORE = (0, 401, 409, 429)  # of a problem: Atlas is out of reach, or what was named is there
# slots of what Atlas knows by name
NAMES = frozenset(("pipeline", "dataset", "subject", "model", "table", "run", "alert"))
LISTED = frozenset(("pipeline", "dataset", "subject", "model", "table", "node", "column"))  # of which there are lists
YES = frozenset(("yes", "y", "yes please", "ja", "ok"))


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
        self._asked: dict[tuple[str, str], str] = {}  # who was asked for the rest of a command, and its beginning
        self._offered: dict[tuple[str, str], str] = {}  # who was asked "did you mean …?"
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

    async def answers(
        self, line: str, who: tuple[str, str] = ("", ""), atlas: Atlas | None = None
    ) -> AsyncIterator[Reply]:
        """The replies to a line: progress, then the answer; nothing to an empty line."""
        atlas = atlas or self.atlas
        command = self._meant(line, who)
        if command is None:
            return
        if atlas.person and not (isinstance(command, Command) and command.skill.name in strangers.MAY_SAY):
            try:
                if not (await atlas.me())["user"]:
                    yield strangers.unknown()
                    return
            except AtlasProblem as problem:
                told = " ".join(filter(None, [sentence(problem.message), problem.hint]))
                yield Reply(told, ok=False, holds="counts")
                return
        if isinstance(command, Missing):
            self._asked[who] = command.said
            yield await self._ask_for(command, atlas)
            return
        if isinstance(command, grammar.Guess) and not await self._is_there(command, atlas):
            command = command.otherwise
        if isinstance(command, Reply):
            if not command.ok and command.actions:
                self._offered[who] = command.actions[0].command
            yield command
            return
        log.info("asked", extra={"skill": command.skill.name})
        try:
            async for reply in command.skill.answer(atlas, command.values):
                yield reply
        except AtlasProblem as problem:
            reply = self._told(problem, command)
            if problem.nearest and reply.actions:
                self._offered[who] = reply.actions[0].command
            yield reply
        except Exception as error:  # noqa: BLE001 - a bug in one skill must not end the conversation; it is logged
            reference = secrets.token_hex(4)
            frames = "".join(traceback.format_tb(error.__traceback__))  # no message: it may quote somebody's data
            log.error("bug %s in `%s`: %s\n%s", reference, command.skill.name, type(error).__name__, frames)
            yield Reply(
                f"A bug in Atlas kept `{command.skill.name}` from answering: {type(error).__name__}, "
                f"reference {reference}.",
                ok=False,
                holds=command.skill.holds,
            )

    def _meant(self, line: str, who: tuple[str, str]) -> Command | Missing | Reply | None:
        """The line as a command, with what was said just before in mind."""
        asked, offered = self._asked.pop(who, None), self._offered.pop(who, None)
        if offered and line.strip().rstrip(".!").casefold() in YES:
            return grammar.parse(offered, skills())
        meant = grammar.parse(line, skills())
        if asked and isinstance(meant, Reply) and not meant.understood:
            completed = grammar.parse(f"{asked} {line}", skills())
            if isinstance(completed, Command):
                return completed
        return meant

    async def _is_there(self, guess: grammar.Guess, atlas: Atlas) -> bool:
        """Whether what a guess names is there: what cannot be said is not suggested."""
        for action in guess.actions:
            meant = grammar.parse(action.command, skills())
            for slot, value in meant.values.items() if isinstance(meant, Command) else ():
                if slot not in LISTED or str(value).isdecimal():
                    continue
                try:
                    lists = [await self._names(kind, atlas, ()) or () for kind in ("pipeline", "table")]
                except AtlasProblem:
                    return False
                if not any(str(value).casefold().partition(".")[0] in names for names in lists):
                    return False
        return True

    async def _ask_for(self, missing: Missing, atlas: Atlas) -> Reply:
        """Asks for the missing part, with what there is to choose from."""
        asked = await self._question(missing, atlas)
        said = missing.said.split()
        bare = any(pattern.words[: len(said)] == said for pattern in missing.skill.patterns)
        return replace(asked, holds=missing.skill.holds) if bare else asked

    async def _question(self, missing: Missing, atlas: Atlas) -> Reply:
        if missing.slot.rest:
            return misread(f"Say the rest, too: {missing.said} … For example: {missing.skill.example}")
        noun = NOUNS.get(missing.slot.name, missing.slot.name)
        question = f"Which {noun}?"
        try:
            names = await self._names(missing.slot.name, atlas, missing.skill.states)
        except AtlasProblem as problem:
            return misread(f"{question} {problem.message}")
        buttons = [Action(f"{missing.said} {grammar.quoted(name)}") for name in (names or ())[:6]]
        if names is None:
            return misread(f"{question} For example: {missing.skill.example}")
        states = listing(missing.skill.states, last=" or ")
        none = f"None of the newest is {states}." if states else "There is none yet."
        return misread(f"{question} {listing(names, most=12) or none}", *buttons)

    async def _names(self, kind: str, atlas: Atlas, states: tuple[str, ...]) -> list[str] | None:
        """What a missing part could be, the likeliest first; None for what is not listed: tokens, users."""
        if kind == "run":
            newest = (await atlas.runs(limit=50))["items"]
            return [f"#{run['run']}" for run in newest if not states or run["state"] in states][:6]
        if kind == "alert":
            return [f"#{alert['alert']}" for alert in alerts.heads(await atlas.alerts())]
        if kind == "type":
            return list(KINDS)
        if kind == "model":  # those of datasets can be shown, too
            found = (await atlas.datasets())["items"]
            return [d["dataset"] for d in sorted(found, key=lambda d: d["kind"] != "model")]
        if kind in ("node", "table"):
            return [d["dataset"] for d in (await atlas.datasets())["items"]]
        if kind in ("pipeline", "dataset", "subject"):
            return [p["name"] for p in (await atlas.pipelines())["items"]]
        return None

    def _told(self, problem: AtlasProblem, command: Command) -> Reply:
        """A problem as an answer: what happened, what would work, and that as a button."""
        text, buttons = sentence(problem.message), []
        wrong = next(
            (slot.name for slot in command.pattern.slots if f"`{command.values.get(slot.name)}`" in problem.message),
            None,
        )
        if wrong and problem.nearest:
            buttons = [command.said(**{wrong: name}) for name in problem.nearest]
        hint = problem.hint
        if wrong and not buttons and (other := _command_of(str(command.values[wrong]))):
            buttons, hint = [other], f"To see what that may have meant: {other}"
        elif hint:
            said = grammar.parse(hint.partition(": ")[2] or hint, skills())
            if isinstance(said, Command) and not buttons:
                buttons = [said.line]
                hint = None if hint in (said.line, f"Say: {said.line}") else hint
        if hint:
            text += f" {hint}"
        return Reply(text, ok=False, next=buttons, facts={"code": problem.code}, holds=_shown(problem, command))


def _shown(problem: AtlasProblem, command: Command) -> Holds:
    """Whose answer a problem is: only one of what is known by its name says nothing that somebody may have typed."""
    known = problem.status in SAYS_NO_MORE or problem.status >= 500
    named = all(slot.name in NAMES for slot in command.pattern.slots if slot.name in command.values)
    return command.skill.holds if known and named else "subjects"


def _command_of(word: str) -> str | None:
    """A word that is a whole command: `show me the alerts`."""
    sayable = (pattern for skill in skills() for pattern in skill.patterns if not pattern.slots)
    return next((pattern.usage for pattern in sayable if pattern.usage == word), None)


def _left(reply: Reply | None) -> Reply:
    """The answer to a person who does not want to wait."""
    run = reply.facts.get("run") if reply else None
    if reply is None or run is None:
        return Reply("Stopped.", ok=False, holds="counts")
    return replace(reply, text=f"Stopped waiting for run #{run}.", next=[f"status {run}", f"cancel {run}"], ok=False)


def platform_names() -> tuple[str, ...]:
    """The platforms of `bot/platforms/`."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(platforms.__path__) if not m.name.startswith("_")))
