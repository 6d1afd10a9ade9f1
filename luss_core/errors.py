"""How a stage ends early: with a message to the user, never with a traceback."""

import signal


class UserError(Exception):
    """A mistake in the input or the settings.

    The message names the file or key, what was found, what is allowed and what to do.
    """


class Interrupted(Exception):  # noqa: N818 - nothing went wrong
    """A signal came, the state is saved, and the same command goes on from it."""

    def __init__(self, number: int, step: int):
        super().__init__(f"{signal.Signals(number).name} after step {step}; the same command goes on from there")
        self.status = 128 + number
