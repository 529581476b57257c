"""One message, one answer, for whoever calls the bot from Python: `atlas say`, tests."""

from typing import Any

from opsdroid import connector
from opsdroid.connector import register_event

from bot.droid import Answer, Message
from bot.reply import Reply


class Say(connector.Connector):
    """Hands each reply to the caller who stands in the message."""

    def __init__(self, config: dict[str, Any], opsdroid: Any = None) -> None:
        super().__init__(config, opsdroid)
        self.name = "say"

    async def connect(self) -> None: ...

    async def listen(self) -> None: ...

    @register_event(Answer)
    async def send_answer(self, answer: Answer) -> None:
        answer.linked_event.raw_event(answer.reply, answer.final)

    @register_event(Message)
    async def send_message(self, message: Message) -> None:
        """What opsdroid itself has to say: that a skill broke."""
        message.linked_event.raw_event(Reply(message.text, ok=False, holds="subjects"), True)
