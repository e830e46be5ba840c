"""`transcript-hub webhooks`: what waits for each webhook and what was given up, sending it again, trying a receiver, making a secret.

All of it stands in the archive, so these commands open that beside a hub that runs, and the hub notices within a second what they change.
Knows arguments and exit codes: 0 where everything is well, 1 where something is not, 2 where nothing could be begun.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from hub.archive.archive import Archive, ArchiveError
from hub.archive.opening import open_archive
from hub.archive.undelivered import Backlog, DeadLetter
from hub.config import Config
from hub.delivery.messages import trial
from hub.delivery.receiver import WebhookReceiver
from hub.delivery.signing import new_secret
from hub.delivery.webhook import Webhook
from hub.delivery.webhook_file import load
from hub.errors import ConfigError
from hub.events import stamped
from hub.upkeep.keeping import UpkeepError

COMMAND = "webhooks"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `webhooks` to the parser of `transcript-hub`."""
    parser = commands.add_parser(COMMAND, help="say what webhooks have not got, send it again, try a receiver, or make a secret")
    actions = parser.add_subparsers(dest="action", required=True)
    listed = actions.add_parser("list", help="print what waits for each webhook, and its dead letters")
    listed.add_argument("name", nargs="?", default="", metavar="WEBHOOK", help="only this one")
    resend = actions.add_parser("resend", help="send dead letters again, in their order")
    resend.add_argument("name", metavar="WEBHOOK")
    resend.add_argument("--call", default="", help="only those of this callSid")
    resend.add_argument(
        "--all", action="store_true", help="with --call: everything of this call that the webhook wants, from its beginning"
    )
    test = actions.add_parser("test", help="send one message that says it is a test, and print what comes of it")
    test.add_argument("name", metavar="WEBHOOK")
    actions.add_parser("secret", help="print a new secret for the file of webhooks")


def run(settings: Config, options: argparse.Namespace) -> int:
    """Run the command. Return its exit code. Raises: ConfigError."""
    if options.action == "secret":
        print(new_secret())
        return 0
    webhooks = load(settings)
    if not webhooks:
        raise ConfigError("HUB_WEBHOOKS", "is not set, so there are no webhooks")
    try:
        match options.action:
            case "list":
                return _list(settings, webhooks, options.name)
            case "resend":
                return _resend(settings, webhooks, options)
            case _:
                return asyncio.run(_test(_named(webhooks, options.name)))
    except (ArchiveError, UpkeepError) as error:
        print(f"transcript-hub: {error}", file=sys.stderr)
        return 1


def _named(webhooks: list[Webhook], name: str) -> Webhook:
    found = next((each for each in webhooks if each.name == name), None)
    if found is None:
        raise UpkeepError(f"there is no webhook {name!r}; there are {', '.join(each.name for each in webhooks)}")
    return found


@contextmanager
def _opened(settings: Config) -> Iterator[Archive]:
    archive = open_archive(settings.archive, alone=False)
    try:
        yield archive
    finally:
        archive.close()


def _list(settings: Config, webhooks: list[Webhook], name: str) -> int:
    if name:
        _named(webhooks, name)
    with _opened(settings) as archive:
        backlogs = archive.undelivered.backlogs()
        letters = archive.undelivered.dead_letters(name)
    known = {each.name: each for each in webhooks}
    for each in [name] if name else [*known, *(backlogs.keys() - known.keys())]:
        where = _without_query(known[each].url) if each in known else "not in the file any more"
        print(f"{each:<16} {where}: {_state(backlogs.get(each))}")
        for letter in letters:
            if letter.webhook == each:
                print(f"  {_line(letter)}")
    return int(any(backlog.failing_since is not None or backlog.dead for at, backlog in backlogs.items() if not name or at == name))


def _state(backlog: Backlog | None) -> str:
    if backlog is None:
        return "nothing waits"
    parts = [f"{backlog.calls} {'call waits' if backlog.calls == 1 else 'calls wait'}" if backlog.calls else "nothing waits"]
    if backlog.failing_since is not None:
        parts.append(f"in vain since {stamped(backlog.failing_since)}: the receiver {backlog.problem}")
    if backlog.dead:
        parts.append(f"{backlog.dead} dead {'letter' if backlog.dead == 1 else 'letters'}")
    return "; ".join(parts)


def _line(letter: DeadLetter) -> str:
    state = "again" if letter.again else "dead"
    return f"{state:<5}  {stamped(letter.at)}  {letter.call_sid}  event {letter.offset}, {letter.type}: the receiver {letter.problem}"


def _resend(settings: Config, webhooks: list[Webhook], options: argparse.Namespace) -> int:
    name = _named(webhooks, options.name).name
    if options.all and not options.call:
        raise UpkeepError("--all needs --call: it sends everything of one call")
    with _opened(settings) as archive:
        if options.all:
            if not archive.undelivered.replay(name, options.call):
                raise UpkeepError(f"{options.call}: no such call")
            print(f"everything of {options.call} that {name} wants is sent once more, under the ids that it had")
            return 0
        count = archive.undelivered.send_again(name, options.call)
    print(
        f"{count} dead {'letter is' if count == 1 else 'letters are'} sent again by the hub that runs, or by the next one that is started"
    )
    return 0


async def _test(webhook: Webhook) -> int:
    now = time.time()
    message = trial(now, stamped(now))
    async with WebhookReceiver(webhook) as receiver:
        outcome = await receiver.post(message)
    took = time.time() - now
    if outcome.problem:
        print(f"{webhook.name}: the receiver {outcome.problem}")
        return 1
    print(f"{webhook.name}: the receiver took {message.id} after {took:.2f} s")
    return 0


def _without_query(url: str) -> str:
    """Return a URL without what may be a password in it."""
    parts = urlsplit(url)
    return parts._replace(query="…" if parts.query else "").geturl()
