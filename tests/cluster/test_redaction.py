"""What one node masks no other node has: neither its readers, nor the broker."""

from hub.events import Dtmf
from hub.transcribers.utterances import Recognized
from tests.cluster.pairs import pair_of_hubs
from tests.cluster.test_doors import is_end, received, watched
from tests.publishing import ScriptedCall


async def test_a_reader_of_another_node_gets_what_the_owner_has_masked() -> None:
    # Only the owner masks here: what the other node has, it has from the owner.
    async with pair_of_hubs(a={"redact_kinds": "all"}) as pair:
        call = ScriptedCall(pair.a.state, parameters={"account": "98765432"})
        await pair.known(call.call)
        socket = await watched(pair.b, {"action": "subscribe", "callSid": call.call})
        await pair.known(call.call, lambda record: len(record.topic.audience))
        call.publisher.report(Recognized("inbound", 0.0, 1.0, "my card is 5500 0055", settled=False, closes=False))
        call.publisher.report(Recognized("inbound", 0.0, 2.0, "my card is 5500 0055 5555 5559 thanks", settled=True, closes=True))
        call.publish(Dtmf(call_sid=call.call, digit="7", track="inbound"))
        call.end()
        told = "".join(await received(socket, is_end))
    assert '"my card is [card] thanks"' in told
    assert '"digit":"•"' in told
    assert "5500" not in told
    assert "98765432" not in told
