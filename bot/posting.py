"""Why an answer could not be posted on a platform; its words never hold what was to be posted."""


class CannotPost(Exception):
    """`retry`: later it may work, so what was to be posted is kept."""

    def __init__(self, reason: str, *, retry: bool) -> None:
        super().__init__(reason)
        self.reason, self.retry = reason, retry
