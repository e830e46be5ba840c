"""Scripts in which no blank stands between words, as ranges for a character class of `re`."""

from typing import Final

WITHOUT_BLANKS: Final = (
    "\u2e80-\u303f"  # radicals of Han, and the punctuation of Chinese and Japanese
    "\u3040-\u312f\u31a0-\u33ff"  # Hiragana, Katakana, Bopomofo, strokes, enclosed signs
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\ufe30-\ufe4f\uff01-\uff9f\uffe0-\uffe6"  # forms of full and half width, without those of Hangul
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"  # more Kana, more Han
)
"""Chinese and Japanese: no blank, not even beside a Latin word: `今日は` and `iPhone` are `今日はiPhone`. Korean has blanks."""

BLANKS_BETWEEN_PHRASES: Final = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese
    "\u1780-\u17ff\u19e0-\u19ff"  # Khmer
    "\u1950-\u19df\u1a20-\u1aaf"  # Tai Le, New Tai Lue, Tai Tham
    "\u1b00-\u1b7f\ua980-\ua9df"  # Balinese, Javanese
)
"""Scripts that write words of their own without blanks, and put one beside a word of another script and after a sentence."""
