"""What all answers over HTTP have in common: one form of errors, headers, compression, pages of other origins, and queries."""

import gzip
from typing import Any

import pytest

from tests.house import House, house
from tests.media import CALL
from tests.publishing import ScriptedCall
from tests.web.watchers import SECRET, token

DESK = "https://desk.example"


async def asked(home: House, method: str, path: str, **headers: str) -> tuple[int, Any, dict[str, str]]:
    """Return the status, the body in JSON or as text, and the headers with small names."""
    async with home.session.request(method, home.url(path), headers=headers, allow_redirects=False) as answer:
        body = await answer.json() if answer.content_type == "application/json" else await answer.text()
        return answer.status, body, {name.lower(): value for name, value in answer.headers.items()}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nosuch", 404, "not-found"),
        ("GET", "/calls/CA0", 404, "not-found"),
        ("GET", "/calls/CA0/transcript.txt", 404, "not-found"),
        ("POST", "/calls", 405, "method"),
        ("PUT", f"/calls/{CALL}", 405, "method"),
        ("GET", "/calls/CA0/events", 404, "not-found"),
        ("POST", "/events", 405, "method"),
        ("GET", "/client", 426, "upgrade"),
        ("GET", "/dashboard/nothing.js", 404, "not-found"),
        ("GET", "/docs/nothing.md", 404, "not-found"),
        ("DELETE", "/docs/README.md", 405, "method"),
        ("GET", "/calls?limit=0", 400, "bad-request"),
        ("GET", "/calls?limit=1001", 400, "bad-request"),
        ("GET", "/calls?limit=ten", 400, "bad-request"),
        ("GET", "/calls?limit=%D9%A3", 400, "bad-request"),
        ("GET", "/calls?after=nobody", 400, "bad-request"),
        ("GET", "/calls?limt=1", 400, "bad-request"),
        ("GET", "/calls?limit=1&limit=2", 400, "bad-request"),
        ("GET", f"/calls/{CALL}?limit=1", 400, "bad-request"),
        ("GET", f"/calls/{CALL}/transcript.txt?limit=1", 400, "bad-request"),
    ],
)
async def test_an_error_has_one_form_whatever_is_wrong(method: str, path: str, status: int, code: str) -> None:
    async with house() as home:
        ScriptedCall(home.state)
        answered, body, headers = await asked(home, method, path)
        assert (answered, body["error"]["code"], set(body["error"])) == (status, code, {"code", "message"})
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "aiohttp" not in headers["server"]


async def test_who_comes_to_the_socket_without_a_websocket_is_told_where_else_to_go() -> None:
    async with house() as home:
        for method in ("GET", "POST", "HEAD"):
            status, body, headers = await asked(home, method, "/client")
            if method == "GET":
                assert (status, headers["upgrade"]) == (426, "websocket")
                assert "/calls/{callSid}/events" in body["error"]["message"]
            else:
                assert (status, headers["allow"]) == (405, "GET, OPTIONS")


async def test_a_missing_token_has_that_form_too() -> None:
    async with house(secret=SECRET) as home:
        status, body, headers = await asked(home, "GET", "/calls")
        assert (status, body["error"]["code"], headers["www-authenticate"]) == (401, "token", "Bearer")


async def test_what_is_no_http_and_what_the_hub_fails_on_have_that_form_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house() as home:
        monkeypatch.setattr(home.state.registry, "allowed", None)
        status, body, _ = await asked(home, "GET", "/calls")
        assert (status, body) == (500, {"error": {"code": "failed", "message": "the hub failed on this request"}})
        status, body, _ = await asked(home, "GET", "/calls", **{"X-Long": "x" * 9000})
        assert (status, body["error"]["code"]) == (400, "bad-request")
        assert "8,190 bytes" in body["error"]["message"]


@pytest.mark.parametrize("path", ["/twiml", "/twilio/status", "/twilio", "/agent"])
async def test_twilios_doors_answer_errors_in_text_that_its_debugger_shows(path: str) -> None:
    async with house(twilio_token="12345", public_url="https://hub.example.com") as home:
        for method, headers in (("GET", {}), ("PUT", {}), ("GET", {"Origin": "https://evil.example"})):
            async with home.session.request(method, home.url(path), headers=headers) as answer:
                assert answer.status in {403, 405, 426}
                assert answer.content_type == "text/plain"
                assert not (await answer.text()).startswith("{")


@pytest.mark.parametrize("path", ["/calls", f"/calls/{CALL}", f"/calls/{CALL}/transcript.txt", f"/calls/{CALL}/transcript.json"])
async def test_calls_are_stored_nowhere_on_their_way(path: str) -> None:
    async with house() as home:
        ScriptedCall(home.state)
        status, _, headers = await asked(home, "GET", path)
        assert (status, headers["cache-control"], headers["x-content-type-options"]) == (200, "no-store", "nosniff")
        assert "Origin" in headers["vary"]
        status, _, of_head = await asked(home, "HEAD", path)
        assert (status, of_head.get("content-length"), of_head.get("etag")) == (200, headers.get("content-length"), headers.get("etag"))


@pytest.mark.parametrize(
    ("accepts", "packed"), [("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("identity", False), ("br", False)]
)
async def test_a_long_answer_is_compressed_where_the_client_takes_it(accepts: str, packed: bool) -> None:
    async with house() as home:
        script = ScriptedCall(home.state)
        for _ in range(100):
            script.final("the same words again")
        url = home.url(f"/calls/{CALL}/transcript.txt")
        async with home.session.get(url, headers={"Accept-Encoding": accepts}, auto_decompress=False) as answer:
            body = await answer.read()
            assert answer.headers.get("Content-Encoding") == ("gzip" if packed else None)
            assert "Accept-Encoding" in ", ".join(answer.headers.getall("Vary"))
        text = gzip.decompress(body) if packed else body
        assert text.count(b"the same words again") == 100


async def test_a_page_of_an_allowed_origin_may_read_calls() -> None:
    async with house(secret=SECRET, origins=DESK) as home:
        preflight = {"Origin": DESK, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        status, _, headers = await asked(home, "OPTIONS", "/calls", **preflight)
        assert (status, headers["access-control-allow-origin"]) == (204, DESK)
        assert headers["access-control-allow-headers"] == "Authorization, Content-Type, If-None-Match, If-Range, Last-Event-ID, Range"
        assert "GET" in headers["access-control-allow-methods"]
        for shown, expected in ((token(), 200), ("wrong", 401)):
            status, _, headers = await asked(home, "GET", "/calls", Origin=DESK, Authorization=f"Bearer {shown}")
            assert (status, headers["access-control-allow-origin"], headers["vary"]) == (expected, DESK, "Origin")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://desk.example.evil.example"])
async def test_a_page_of_another_origin_reads_nothing(origin: str) -> None:
    async with house(secret=SECRET, origins=DESK) as home:
        for method, status in (("GET", 403), ("OPTIONS", 204)):
            answered, _, headers = await asked(home, method, "/calls", Origin=origin, Authorization=f"Bearer {token()}")
            assert answered == status
            assert not [name for name in headers if name.startswith("access-control-")]


async def test_what_is_not_there_and_what_cannot_be_done_is_said_in_a_sentence() -> None:
    async with house() as home:
        assert "/openapi.json" in (await asked(home, "GET", "/call"))[1]["error"]["message"]
        _, body, headers = await asked(home, "PATCH", "/calls")
        assert body["error"]["message"] == "this address takes DELETE, GET, HEAD, OPTIONS"
        assert headers["allow"] == "DELETE, GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
async def test_an_answer_that_leads_elsewhere_is_stored_nowhere_either(path: str) -> None:
    async with house() as home:
        status, _, headers = await asked(home, "GET", path)
        assert (status, headers["cache-control"], headers["x-content-type-options"]) == (302, "no-store", "nosniff")


async def test_a_program_learns_what_may_be_done_at_an_address() -> None:
    async with house() as home:
        assert (await asked(home, "OPTIONS", "/calls"))[2]["allow"] == "DELETE, GET, HEAD, OPTIONS"
        assert (await asked(home, "OPTIONS", "/twilio/status"))[2]["allow"] == "GET, OPTIONS, POST"
        assert (await asked(home, "OPTIONS", "/nosuch"))[0] == 404
