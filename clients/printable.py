"""Text from a call, made safe to print.

Knows which characters a terminal only shows. Does not know what the text says.
"""


def printable(text: str) -> str:
    """Return the text with a blank in place of each control character.

    A caller chooses their own name and parameters. Without this, a name such as `\\x1b[2J` would clear the terminal of whoever watches.
    """
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
