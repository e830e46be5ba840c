"""How many tools a model may use: in one response, in a row and in a call."""

from hub.agents.commands import Command, ToolDone, UseTool
from hub.agents.voice_model import AddToolOutput, CreateResponse
from tests.agents.room import Room, ended, question, started, tool_call, voice


def used(commands: list[Command]) -> int:
    return sum(isinstance(each, UseTool) for each in commands)


def test_what_is_beyond_the_bound_of_a_response_is_refused_in_words_and_published_once() -> None:
    room = Room()
    room.take(started(), *(tool_call(f"c{number}") for number in range(2000)))
    assert used(room.commands) == 10
    refusals = [each for each in room.asked(AddToolOutput) if isinstance(each, AddToolOutput)]
    assert len(refusals) == 50
    assert "refused" in refusals[0].output
    assert "10 uses of tools in one response are the most" in refusals[0].output
    assert len(room.troubles) == 1
    room.take(ended())
    assert room.asked(CreateResponse) == []  # ten still run
    room.take(*(ToolDone(f"c{number}", "5") for number in range(10)))
    assert room.asked(CreateResponse) == [CreateResponse()]


def test_a_model_that_answers_each_output_with_another_tool_call_comes_to_an_end() -> None:
    room = Room()
    room.take(*question(), started("r0"))
    run = 0
    for number in range(50):
        commands = room.take(tool_call(f"c{number}", f"r{number}"), ended(f"r{number}"))
        if used(commands):
            run += 1
            room.take(ToolDone(f"c{number}", "5"))
        room.take(started(f"r{number + 1}"))
    assert run == 8
    assert room.asked(CreateResponse)[-1] == CreateResponse(tools=False)
    assert room.given_up == ["goes on using tools and does not answer the caller"]
    assert "8 responses in a row" in str(room.asked(AddToolOutput)[-1])


def test_an_answer_or_a_word_of_the_caller_allows_tools_again() -> None:
    for number in range(2):
        room = Room()
        for turn in range(6):
            for step in range(3):
                name = f"{turn}.{step}"
                room.take(started(name), tool_call(name, name), ended(name), ToolDone(name, "5"))
            if number:
                room.take(*question(f"q{turn}"))
            else:
                room.take(started(f"a{turn}"), voice(20, f"a{turn}", f"a{turn}"), ended(f"a{turn}"))
                room.wait(40)
        assert (room.troubles, room.given_up) == ([], [])


def test_a_call_has_so_many_tools_and_no_more() -> None:
    room = Room()
    for number in range(102):
        room.take(*question(f"q{number}"), started(f"r{number}"), tool_call(f"c{number}", f"r{number}"), ToolDone(f"c{number}", "5"))
        room.take(ended(f"r{number}"), started(f"s{number}"), voice(20, f"s{number}", f"s{number}"), ended(f"s{number}"))
    assert used(room.commands) == 100
    assert len(room.troubles) == 2
    assert "100 times in this call" in room.troubles[0]


def test_a_tool_call_that_comes_again_after_its_output_is_not_run_again() -> None:
    room = Room()
    room.take(started(), tool_call("c1"), ToolDone("c1", "5"))
    assert room.take(tool_call("c1")) == []
