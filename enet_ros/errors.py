"""The one exception for what a user can put right."""


class BadInput(ValueError):
    """Something that was given cannot be used.

    The message is one line that names the thing, the reason and the remedy. The command line
    prints it as it is; nodes log it and show it in their diagnostics.
    """
