"""Where the speech model lies, and the words that its tokens stand for.

Knows the wheel of moonshine-voice, in which the model travels, and the layout of its files. Does not run the model.
"""

import importlib.util
from pathlib import Path


def model_folder() -> Path:
    """Return the folder with the model's two graphs and its vocabulary. Raises: ImportError when moonshine-voice is not installed.

    The package is found and not imported: it brings a library, downloads and a microphone, none of which is used here.
    """
    spec = importlib.util.find_spec("moonshine_voice")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("No module named 'moonshine_voice'")
    return Path(spec.submodule_search_locations[0]) / "assets" / "tiny-en"


def read_vocabulary(path: Path) -> list[bytes]:
    """Return the text of each token as UTF-8, or as a part of it. U+2581 stands for a blank, as SentencePiece writes it.

    Each token is its length and its bytes; a length from 128 on has a second byte (moonshine core/bin-tokenizer/bin-tokenizer.cpp).
    """
    content, tokens, at = path.read_bytes(), list[bytes](), 0
    while at < len(content):
        size, at = content[at], at + 1
        if size >= 128:
            size, at = size - 128 + content[at] * 128, at + 1
        tokens.append(content[at : at + size])
        at += size
    return tokens
