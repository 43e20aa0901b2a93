"""The exception for errors that the user can correct."""


class BadInput(ValueError):
    """An input cannot be used.

    The message is one line that names the input, the reason and the remedy. The command line
    prints it without a traceback; nodes log it and publish it in their diagnostics.
    """
