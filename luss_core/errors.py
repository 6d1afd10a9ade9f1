"""The one exception that means "the user can fix this": shown as a message, never as a traceback."""


class UserError(Exception):
    """A mistake in the input or the settings.

    The message names the file or key, what was found, what is allowed and what to do.
    """
