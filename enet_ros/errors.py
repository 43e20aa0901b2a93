"""The exception for errors that the user can correct, and the text of other exceptions."""

MAX_LENGTH = 300  # characters


class BadInput(ValueError):
    """An input cannot be used.

    The message is one line that names the input, the reason and the remedy. The command line
    prints it without a traceback; nodes log it and publish it in their diagnostics.
    """


def one_line(error: Exception) -> str:
    """Return the message of another library's exception in one line; its end if it is long."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError):  # its message was not text
        text = error.object.decode(errors='replace')
    return ' '.join(text.split())[-MAX_LENGTH:]
