"""The typed client of a Modelport server: one for threads, one for asyncio.

Both are thin: `calls` says what goes over the wire and how an answer is read, `flow` decides on
deadlines and retries without doing any I/O, and `transport` is the only importer of httpx.
"""

from modelport.client.calls import ModelState
from modelport.client.client import AsyncClient, Client

__all__ = ["AsyncClient", "Client", "ModelState"]
