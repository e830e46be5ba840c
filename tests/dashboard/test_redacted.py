"""What is masked is nowhere on the page, not even in an attribute, and can be read as what it is."""

import pytest

from hub.events import Dtmf, ToolCalled, ToolReturned
from tests.cluster.test_redaction import dictate
from tests.dashboard.browser import Visit
from tests.house import house
from tests.insight.redaction.corpus import secrets
from tests.media import CALL
from tests.publishing import ScriptedCall

pytestmark = pytest.mark.asyncio(loop_scope="session")

CARD = "4111111111111111"


async def test_no_digit_of_a_number_is_in_the_page(visit: Visit) -> None:
    dialogues = secrets(seed=9, count=20)
    async with house(redact_kinds="all") as home:
        call = ScriptedCall(home.state, agent="desk", parameters={"account": CARD, "inboundTrackLabel": f"Ann {CARD}"})
        async with visit(home, f"#{CALL}") as page:
            dictate(call, dialogues)
            for digit in CARD:
                call.publish(Dtmf(call_sid=CALL, digit=digit, track="inbound"))
            call.publish(ToolCalled(call_sid=CALL, invocation="c1", tool="pay", arguments={"card": CARD}, time=1.0))
            call.publish(
                ToolReturned(
                    call_sid=CALL, invocation="c1", tool="pay", outcome="result", detail=f'{{"card": "{CARD}"}}', time=1.0, seconds=0.1
                )
            )
            call.final("that is all", utterance="last")
            await page.get_by_text("that is all").first.wait_for()
            shown = await page.content()
    assert "[number]" in shown
    said = {dialogue.digits for dialogue in dialogues} | {text for dialogue in dialogues for _, text in dialogue.lines if len(text) > 20}
    assert [form for form in (*said, CARD, CARD[:6]) if form in shown] == []
