"""Pieces of text are joined as their script joins them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transcribers.blanks import joined


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["hello", "there."], "hello there."),
        (["今日は", "晴れです。"], "今日は晴れです。"),
        (["晴れです。", "明日は"], "晴れです。明日は"),
        (["今", "日", "は", "、", "晴れ"], "今日は、晴れ"),
        (["今日は", "iPhone", "を", "買った"], "今日はiPhoneを買った"),
        (["2024", "年", "5", "月"], "2024年5月"),
        (["我用", "iPhone", "15", "打电话"], "我用iPhone 15打电话"),
        (["你好,", "世界"], "你好,世界"),
        (["你好。", "Hello", "there"], "你好。Hello there"),
        (["Okay.", "今日は"], "Okay. 今日は"),
        (["你好.", "Hello"], "你好. Hello"),
        (["你", "好", ",", "世界"], "你好,世界"),
        (["ハロー", "ｶﾅ", "𠮷野家"], "ハローｶﾅ𠮷野家"),
        (["人々", "ー", "「", "はい", "」"], "人々ー「はい」"),
        (["안녕하세요", "저는", "학생입니다."], "안녕하세요 저는 학생입니다."),
        (["大韓", "민국"], "大韓민국"),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
        (["ใช้", "iPhone", "ครับ"], "ใช้ iPhone ครับ"),
        (["ສະບາຍດີ", "ບໍ່"], "ສະບາຍດີບໍ່"),
        (["សួស្តី", "បង"], "សួស្តីបង"),
        (["សួស្តី។", "បង"], "សួស្តី។ បង"),
        (["မင်္ဂလာ", "ပါ"], "မင်္ဂလာပါ"),
        (["ပါ။", "မင်္ဂလာ"], "ပါ။ မင်္ဂလာ"),
        (["བོད་", "སྐད་"], "བོད་སྐད་"),
        (["مرحبا", "بالعالم"], "مرحبا بالعالم"),
        (["नमस्ते", "दुनिया"], "नमस्ते दुनिया"),
        (["café", "naïve"], "café naïve"),
        ([" hello ", "", "  ", "there"], "hello there"),
        (["今日は　", " 晴れ"], "今日は晴れ"),
        ([], ""),
    ],
)
def test_pieces_are_joined_as_their_script_joins_them(pieces: list[str], text: str) -> None:
    assert joined(pieces) == text


@given(st.lists(st.text()))
def test_joining_adds_and_drops_nothing_but_blanks(pieces: list[str]) -> None:
    assert "".join(joined(pieces).split()) == "".join("".join(pieces).split())


@given(st.lists(st.text(st.characters(categories=["L"], max_codepoint=0x2FF), min_size=1)))
def test_latin_words_are_joined_with_blanks(words: list[str]) -> None:
    assert joined(words) == " ".join(words)
