"""Teams: messages, mentions and buttons in; Adaptive Cards out."""

from bot.platforms.teams.connector import Teams

__all__ = ["Teams"]
