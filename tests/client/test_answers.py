"""What answers say: the wait that a server asks for, and errors that are not quite ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from modelport.client.answers import Reply, error_of, retry_after_s
from modelport.core.errors import Internal, Overloaded


def reply(status: int = 503, body: bytes = b"", **headers: str) -> Reply:
    return Reply("http://a/", status, {n.replace("_", "-"): v for n, v in headers.items()}, body)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3), ("0.5", 0.5), ("-1", 0), ("soon", None), ("nan", None), ("inf", None), ("", None)],
)
def test_a_wait_is_a_number_of_seconds(value, seconds):
    assert retry_after_s(reply(retry_after=value)) == seconds


def test_a_wait_may_be_a_date():
    later = datetime.now(UTC) + timedelta(hours=1)
    for text in (format_datetime(later, usegmt=True), format_datetime(later.replace(tzinfo=None))):
        assert retry_after_s(reply(retry_after=text)) == pytest.approx(3600, abs=60)
    assert retry_after_s(reply(retry_after="Wed, 21 Oct 2015 07:28:00 GMT")) == 0


def test_the_wait_of_the_header_is_a_fact_of_the_error():
    error = error_of(reply(503, b'{"error": "full", "code": "OVERLOADED"}', retry_after="2"))
    assert isinstance(error, Overloaded)
    assert error.retry_after_s == 2


def test_a_code_of_a_newer_server_is_read_by_its_status():
    error = error_of(reply(500, b'{"error": "new", "code": "BRAND_NEW"}'))
    assert type(error) is Internal
    assert error.message == "new"


@pytest.mark.parametrize("body", [b'{"error": 1}', b'{"detail": "x"}', b"[]", b"null", b"{", b""])
def test_an_error_of_another_shape_is_read_by_its_status(body):
    assert type(error_of(reply(500, body))) is Internal
