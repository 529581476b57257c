"""Slack: commands, mentions, direct messages and buttons in; Block Kit out."""

from bot.platforms.slack.connector import Slack

__all__ = ["Slack"]
