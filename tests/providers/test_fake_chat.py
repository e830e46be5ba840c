"""The scripted chat API against OpenAI's own package: its client takes the answers, and its types take what the hub asks."""

import json

import openai
import pytest
from openai import AsyncOpenAI

from hub.notes.request import body, of_portion
from hub.notes.said import Portion, SpokenLine
from tests.providers.fake_chat import FakeChat, serving

PORTION = Portion((SpokenLine(2, "00:01.0", "caller", "hello"),))


@pytest.mark.parametrize("form", ["schema", "json", "text"])
async def test_openais_own_client_asks_what_the_hub_asks_and_takes_the_answer(form: str) -> None:
    asked = json.loads(body("test-model", form, of_portion(PORTION)))  # type: ignore[arg-type]
    async with serving(FakeChat()) as chat, AsyncOpenAI(api_key="k", base_url=chat.url, max_retries=0) as client:
        answer = await client.chat.completions.create(**asked)
    assert chat.wrong == []
    assert chat.requests == [asked]
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 100
    assert json.loads(answer.choices[0].message.content or "")["summary"] == [{"text": "They talked.", "offsets": [2]}]
    assert answer.model_extra == {}


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, openai.AuthenticationError), (404, openai.NotFoundError), (429, openai.RateLimitError), (503, openai.InternalServerError)],
)
async def test_openais_own_client_knows_the_errors(status: int, error: type[Exception]) -> None:
    asked = json.loads(body("test-model", "schema", of_portion(PORTION)))
    async with serving(FakeChat(answers=[status])) as chat, AsyncOpenAI(api_key="k", base_url=chat.url, max_retries=0) as client:
        with pytest.raises(error):
            await client.chat.completions.create(**asked)


async def test_what_openais_types_do_not_know_is_noticed() -> None:
    async with serving(FakeChat()) as chat, AsyncOpenAI(api_key="k", base_url=chat.url, max_retries=0) as client:
        asked = json.loads(body("test-model", "text", of_portion(PORTION)))
        await client.chat.completions.create(**asked, extra_body={"weather": 1})
    assert chat.wrong == ["unknown: {'weather'}"]
