"""The business aggregations: plain SQL files, built in dependency order."""
