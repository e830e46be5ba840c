"""`/healthz` and `/readyz`, as a container platform asks them."""

from tests.house import House, house


async def asked(home: House, path: str) -> tuple[int, str]:
    async with home.session.get(home.url(path)) as answer:
        return answer.status, await answer.text()


async def test_a_running_hub_is_healthy_and_ready() -> None:
    async with house() as home:
        assert await asked(home, "/healthz") == (200, "ok\n")
        assert await asked(home, "/readyz") == (200, "ready\n")


async def test_a_stopping_hub_is_healthy_but_takes_no_new_calls() -> None:
    async with house() as home:
        home.state.calls.draining = True
        assert await asked(home, "/healthz") == (200, "ok\n")
        assert await asked(home, "/readyz") == (503, "stopping\n")


async def test_neither_needs_a_token_or_a_known_host_name() -> None:
    async with house(secret="s" * 32) as home:
        for path in ("/healthz", "/readyz"):
            async with home.session.get(home.url(path), headers={"Host": "10.0.0.7.pods.example"}) as answer:
                assert answer.status == 200
