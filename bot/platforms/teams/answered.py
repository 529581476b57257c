"""What Teams answered instead of doing what was asked; no word of what was sent is in it."""


class Answered(Exception):
    """`status` 0: nothing was answered. `later`: what cannot be done now may be, when somebody has seen to it."""

    def __init__(self, status: int, reason: str, retry_after: str | None = None, *, later: bool = False) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_after, self.later = status, reason, retry_after, later
