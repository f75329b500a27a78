"""Links to sign in with, for whoever may start or command a server on this machine."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec

from modelport.app.keys import opened
from modelport.app.link import ask_control
from modelport.app.servers import ask_servers
from modelport.control.messages import LinkMade, LinkWanted
from modelport.core.errors import ModelportError, NotFound
from modelport.core.settings import State
from modelport.guard.links import link_address

__all__ = ["first_link", "new_links"]

_log = logging.getLogger(__name__)


def first_link(url: str, control: str) -> str | None:
    """The address at which whoever starts a server signs in; None where callers need no key.

    Args:
        url: the server's.
        control: the path of its control's socket.
    """
    wanted = msgspec.json.encode(LinkWanted(if_needed=True))
    try:
        answer = asyncio.run(ask_control(control, "links.create", wanted))
    except (ModelportError, OSError) as error:  # the server is there all the same
        _log.warning(
            "there is no link to sign in with (%s): 'modelport keys link' makes one", error
        )
        return None
    return _address(url, answer)


def new_links(state: State, url: str = "") -> list[str]:
    """An address to sign in at, as the admin, for each running server of this user.

    Args:
        state: where links are kept.
        url: where browsers reach them, in place of their own URLs; it is one address then, because
            a link is good for all servers with one state.

    Raises:
        NotFound: none runs, and it is not said where they do.
        NotReady: one did not answer.
    """
    if state.state_url and url:  # the servers may be on other machines
        with opened(state) as store:
            return [link_address(url, store.create_link(time.time()))]
    answers = ask_servers("links.create", msgspec.json.encode(LinkWanted()))
    if not answers:
        raise NotFound(
            "no server of yours runs here, to which a link could lead: "
            + (
                "say with --url where browsers reach those that share this state store"
                if state.state_url
                else "start one with 'modelport serve', or say in MODELPORT_STATE_DIR where its"
                " state is"
            )
        )
    made = [_address(url or running.url, answer) for running, answer in answers]
    return [address for address in made if address][: 1 if url else None]


def _address(url: str, answer: bytes) -> str | None:
    link = msgspec.json.decode(answer, type=LinkMade).link
    return None if link is None else link_address(url, link)
