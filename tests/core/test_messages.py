"""Messages: one request never shares what it holds with another."""

from __future__ import annotations

from modelport.core.messages import InferRequest, InferResponse


def test_a_request_has_no_deadline_no_parameters_and_wants_all_outputs() -> None:
    request = InferRequest(inputs={})
    assert (request.outputs, request.deadline, request.parameters) == ((), None, {})


def test_requests_do_not_share_their_parameters() -> None:
    assert InferRequest(inputs={}).parameters is not InferRequest(inputs={}).parameters


def test_a_response_that_waited_for_nothing_says_so() -> None:
    response = InferResponse(model="m", version="1", outputs={})
    assert (response.queue_s, response.run_s) == (0.0, 0.0)
