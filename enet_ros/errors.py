"""The exception for errors that the user can correct, and the text of other exceptions."""

MAX_LENGTH = 300  # characters of another library's message
MAX_LINE = 2000   # characters of a BadInput


class BadInput(ValueError):
    """An input cannot be used.

    The message is one line that names the input, the reason and the remedy. The command line
    prints it without a traceback; nodes log it and publish it in their diagnostics. It may quote
    the input, so that the middle of a long message is left out and control characters are escaped.
    """

    def __init__(self, message: str) -> None:
        line = printable(message)
        if len(line) > MAX_LINE:
            half = MAX_LINE // 2 - 3
            line = f'{line[:half]} ... {line[-half:]}'
        super().__init__(line)


def printable(text: str) -> str:
    """Return a text in one line; what a terminal would not print as it is becomes an escape."""
    if text.isprintable():
        return text
    return ''.join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def one_line(error: Exception) -> str:
    """Return the message of another library's exception in one line; its end if it is long."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError):  # its message was not text
        text = error.object.decode(errors='replace')
    return ' '.join(text.split())[-MAX_LENGTH:]
