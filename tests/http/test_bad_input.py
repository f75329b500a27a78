"""Bad input: a 4xx that says what is wrong, in one shape; and the next good request is answered."""

from __future__ import annotations

import gzip
import http.client
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.core.settings import HttpLimits
from modelport.core.tensors import DType
from tests.http.models import identity, sums, written
from tests.http.serving import LINEAR, Served, serving, source

LIMIT = 200_000
PLAIN = "/models/linear/predict"
OIP = "/v2/models/linear/infer"
INTS = "/v2/models/ints/infer"
TEXT = "/v2/models/text/infer"
SUMS = "/v2/models/sums/infer"
GOOD = '{"x":[1,2,3]}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("models")
    sources = [
        LINEAR,
        written(folder, "ints", identity(DType.INT64, ["rows", 2])),
        written(folder, "text", identity(DType.BYTES, ["rows", 2])),
        written(folder, "sums", sums()),
    ]
    with serving(sources, limits=HttpLimits(max_body_bytes=LIMIT)) as server:
        yield server


@dataclass
class Case:
    """One bad request."""

    path: str
    body: bytes = b""
    status: int = 400
    headers: dict[str, str] = field(default_factory=dict)
    says: str = ""
    """Words of the message."""


def plain(body: str | bytes, says: str = "", status: int = 400, **headers: str) -> Case:
    content = body.encode() if isinstance(body, str) else body
    return Case(PLAIN, content, status, _named(headers), says)


def oip(
    inputs: Any, says: str = "", path: str = OIP, more: dict[str, Any] | None = None, **headers: str
) -> Case:
    body = json.dumps({"inputs": inputs} | (more or {})).encode()
    return Case(path, body, 400, _named(headers), says)


def raw_oip(body: str | bytes, says: str = "", path: str = OIP, **headers: str) -> Case:
    return Case(path, body.encode() if isinstance(body, str) else body, 400, _named(headers), says)


def tensor(**changed: Any) -> dict[str, Any]:
    """A good input of `linear`, with changes; None leaves a field out."""
    item = {"name": "x", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]} | changed
    return {key: value for key, value in item.items() if value is not None}


def binary(
    tail: bytes, length: str | None = None, path: str = OIP, says: str = "", **changed: Any
) -> Case:
    """Binary data behind its JSON; `length` in place of the JSON's own."""
    size = {"binary_data_size": len(tail)}
    item = tensor(data=None, parameters=size) | changed
    text = json.dumps({"inputs": [item]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(text)) if length is None else length}
    return Case(path, text + tail, 400, headers, says)


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


DEEP = "[" * 10_000 + "]" * 10_000
LONG = "9" * 5_000
ROW = np.array([[1.0, 2.0, 3.0]]).tobytes()
NPY_TYPE = "application/x-npy"
NPY = (
    b"\x93NUMPY\x01\x00\x76\x00"
    + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 3), }".ljust(117)
    + b"\n"
    + ROW
)
BOMB = gzip.compress(b" " * 10**7)

CASES = {
    # Not JSON at all.
    "empty body": plain("", "empty"),
    "empty body, OIP": raw_oip("", "empty"),
    "blanks": plain(" \r\n\t", "empty"),
    "words": plain("x=1&y=2", "not valid JSON"),
    "words, OIP": raw_oip("hello", "not valid JSON"),
    "cut short": plain('{"x": [1, 2, 3', "not valid JSON"),
    "cut short, OIP": raw_oip('{"inputs": [', "not valid JSON"),
    "two values": plain(GOOD + GOOD, "not valid JSON"),
    "not UTF-8": plain(b'{"x": "\xff\xfe"}', "UTF-8"),
    "not UTF-8, as a key": plain(b'{"\xff": 1}', "UTF-8"),
    "not UTF-8, OIP": raw_oip(b'{"inputs": [{"name": "\xff"}]}', "UTF-8"),
    "half a surrogate": plain(b'{"\\ud800": 1}', "not valid JSON"),
    "half a surrogate, OIP": raw_oip(b'{"inputs":[{"name":"\\ud800"}]}', "not valid JSON"),
    "half a surrogate in text": raw_oip(
        b'{"inputs":[{"name":"x","datatype":"BYTES","shape":[1,2],"data":["\\ud800","a"]}]}',
        path=TEXT,
    ),
    "not UTF-8 in text": raw_oip(
        b'{"inputs":[{"name":"x","datatype":"BYTES","shape":[1,2],"data":["\xff","a"]}]}',
        path=TEXT,
    ),
    "UTF-16": plain(GOOD.encode("utf-16"), "not valid JSON"),
    "NaN": plain('{"x": [1, 2, NaN]}', "not valid JSON"),
    "Infinity": plain('{"x": [1, 2, Infinity]}', "not valid JSON"),
    "-Infinity": plain('{"x": [1, 2, -Infinity]}', "not valid JSON"),
    "NaN, OIP": raw_oip(
        '{"inputs":[{"name":"x","datatype":"FP64","shape":[1,3],"data":[1,2,NaN]}]}'
    ),
    # Meant to hurt.
    "nested 10,000 deep": plain(DEEP, "too deep"),
    "nested 10,000 deep, inside": plain(f'{{"x": {DEEP}}}', "too deep"),
    "objects 10,000 deep": plain('{"x":' * 10_000 + "1" + "}" * 10_000, "too deep"),
    "nested 10,000 deep, OIP": raw_oip(DEEP),
    "nested 10,000 deep, OIP data": raw_oip(
        f'{{"inputs":[{{"name":"x","datatype":"FP64","shape":[1,3],"data":{DEEP}}}]}}', "too deep"
    ),
    "nested 10,000 deep, OIP extension": raw_oip(f'{{"extra":{DEEP},"inputs":[]}}', "too deep"),
    "nested 900 deep, OIP data": raw_oip(
        '{"inputs":[{"name":"x","datatype":"FP64","shape":[1,3],"data":%s}]}'
        % ("[" * 900 + "]" * 900)
    ),
    "5,000 digits": plain(f'{{"x": [1, 2, {LONG}]}}'),
    "5,000 digits, alone": plain(LONG),
    "5,000 digits, OIP": raw_oip(
        f'{{"inputs":[{{"name":"x","datatype":"FP64","shape":[1,3],"data":[1,2,{LONG}]}}]}}'
    ),
    "5,000 digits, OIP integer": raw_oip(
        f'{{"inputs":[{{"name":"x","datatype":"INT64","shape":[1,2],"data":[1,{LONG}]}}]}}',
        path=INTS,
    ),
    "5,000 digits, OIP shape": raw_oip(
        f'{{"inputs":[{{"name":"x","datatype":"FP64","shape":[1,{LONG}],"data":[1]}}]}}'
    ),
    "beyond every double": plain('{"x": [1, 2, 1e400]}', "'x' holds a number that is too large"),
    "beyond every double, without a name": plain("[1, 2, 1e400]", "'x' holds a number"),
    "beyond every double, OIP": raw_oip(
        '{"inputs":[{"name":"x","datatype":"FP64","shape":[1,3],"data":[[1,2,1e400]]}]}'
    ),
    # Wrong types.
    "text for numbers": plain('{"x": "1,2,3"}', "'x'"),
    "numbers in quotes": plain('{"x": ["1", "2", "3"]}', "'x'"),
    "booleans": plain('{"x": [true, false, true]}', "'x'"),
    "null": plain('{"x": null}', "'x'"),
    "null inside": plain('{"x": [1, 2, null]}', "'x'"),
    "an object for numbers": plain('{"x": {"a": 1}}', "'x'"),
    "only text": plain('"hello"'),
    "only a number": plain("3"),
    "only null": plain("null"),
    "OIP is a list": raw_oip("[]"),
    "OIP inputs are an object": raw_oip('{"inputs": {}}'),
    "OIP name is a number": oip([tensor(name=1)]),
    "OIP shape is text": oip([tensor(shape="1,3")]),
    "OIP shape of fractions": oip([tensor(shape=[1.5, 3])]),
    "OIP shape of booleans": oip([tensor(shape=[True, 3])]),
    "OIP id is a number": oip([tensor()], more={"id": 7}),
    "OIP parameters are a list": oip([tensor()], more={"parameters": []}),
    "OIP other datatype": oip([tensor(datatype="FP32")], "'x' takes FP64"),
    "OIP no datatype": oip([tensor(datatype=None)], "datatype"),
    "OIP unknown datatype": oip([tensor(datatype="COMPLEX")], "'x' takes FP64"),
    "OIP lower-case datatype": oip([tensor(datatype="fp64")], "'x' takes FP64"),
    "OIP text for numbers": oip([tensor(data=["1", "2", "3"])], "'x'"),
    "OIP booleans for numbers": oip([tensor(data=[True, False, True])], "'x'"),
    "OIP null for a number": oip([tensor(data=[1, None, 3])], "'x'"),
    "OIP data is an object": oip([tensor(data={"a": 1})], "'x'"),
    "OIP data is a number": oip([tensor(data=1)], "'x'"),
    "OIP fraction for an integer": oip(
        [tensor(datatype="INT64", shape=[1, 2], data=[1, 1.5])], "'x'", path=INTS
    ),
    "OIP too large for an integer": oip(
        [tensor(datatype="INT64", shape=[1, 2], data=[1, 2**63])], "'x'", path=INTS
    ),
    "OIP number for text": oip(
        [tensor(datatype="BYTES", shape=[1, 2], data=[1, 2])], "'x'", path=TEXT
    ),
    # Wrong shapes.
    "too few": plain('{"x": [1, 2]}', "[3]"),
    "too many": plain('{"x": [1, 2, 3, 4]}', "[3]"),
    "too deep": plain('{"x": [[[1, 2, 3]]]}', "'x'"),
    "no rows": plain('{"x": []}', "'x'"),
    "empty rows": plain('{"x": [[], []]}', "'x'"),
    "ragged": plain('{"x": [[1, 2, 3], [4, 5]]}', "'x'"),
    "ragged in depth": plain('{"x": [[1, 2, 3], 4]}', "'x'"),
    "no records": plain("[]"),
    "OIP other shape": oip([tensor(shape=[1, 4], data=[1, 2, 3, 4])], "[?, 3]"),
    "OIP flat shape": oip([tensor(shape=[3])], "[?, 3]"),
    "OIP no dimension": oip([tensor(shape=[])], "[?, 3]"),
    "OIP no shape": oip([tensor(shape=None)], "shape"),
    "OIP negative shape": oip([tensor(shape=[-1, 3])], "at least 1"),
    "OIP twice negative shape": oip([tensor(shape=[-1, -3])], "'x'"),
    "OIP zero shape": oip([tensor(shape=[0, 3], data=[])], "at least 1"),
    "OIP overflowing shape": oip([tensor(shape=[2**62, 3])], "'x'"),
    "OIP shape of 30 digits": oip([tensor(shape=[10**30, 3])], "'x'"),
    "OIP wrong shape of 30 digits": oip([tensor(shape=[1, 10**30])], "'x'"),
    "OIP 100 dimensions": oip([tensor(shape=[1] * 100, data=[1])], "'x'"),
    "OIP 10,000 dimensions": oip([tensor(shape=[1] * 10_000, data=[1])], "'x'"),
    "OIP ragged data": oip([tensor(shape=[2, 3], data=[[1, 2, 3], [4, 5]])], "'x'"),
    "OIP data of another form": oip([tensor(shape=[3, 3], data=[[1] * 9])], "'x'"),
    "OIP data shorter than its shape": oip([tensor(data=[1, 2])], "3 elements, and 2 came"),
    "OIP data longer than its shape": oip([tensor(data=[1, 2, 3, 4])], "and 4 came"),
    "OIP no data": oip([tensor(data=None)], "no data"),
    # Names.
    "unknown field": plain('{"y": [1, 2, 3]}', "'y'"),
    "one field too many": plain('{"x": [1, 2, 3], "y": 1}', "'y'"),
    "no field": plain("{}", "'x' is missing"),
    "OIP no inputs": oip([], "'x' is missing"),
    "OIP inputs left out": raw_oip("{}", "inputs"),
    "OIP unknown input": oip([tensor(), tensor(name="y")], "no input 'y'"),
    "OIP duplicate input": oip([tensor(), tensor()], "'x' is given twice"),
    "OIP one of two inputs": oip(
        [tensor(name="a", datatype="FP32", shape=[1, 2], data=[1, 2])], "'b' is missing", path=SUMS
    ),
    "OIP uneven rows": oip(
        [
            tensor(name="a", datatype="FP32", shape=[1, 2], data=[1, 2]),
            tensor(name="b", datatype="FP32", shape=[2, 2], data=[1, 2, 3, 4]),
        ],
        "same number of rows",
        path=SUMS,
    ),
    "OIP unknown output": oip([tensor()], "no output 'z'", more={"outputs": [{"name": "z"}]}),
    "OIP output twice": oip([tensor()], "twice", more={"outputs": [{"name": "y"}] * 2}),
    "OIP flag that is none": oip([tensor()], more={"parameters": {"binary_data_output": "yes"}}),
    "OIP no classes": oip(
        [tensor()], more={"outputs": [{"name": "y", "parameters": {"classification": -1}}]}
    ),
    "OIP zero classes": oip(
        [tensor()], more={"outputs": [{"name": "y", "parameters": {"classification": 0}}]}
    ),
    "OIP time in words": oip([tensor()], "'timeout'", more={"parameters": {"timeout": "soon"}}),
    "OIP time in fractions": oip([tensor()], "'timeout'", more={"parameters": {"timeout": 1.5}}),
    "OIP time as a flag": oip([tensor()], "'timeout'", more={"parameters": {"timeout": True}}),
    "OIP negative time": oip([tensor()], "'timeout'", more={"parameters": {"timeout": -1}}),
    "OIP shared memory": oip(
        [tensor(parameters={"shared_memory_region": "/dev/shm/x"})], "shared memory"
    ),
    # Binary data.
    "binary length negative": binary(ROW, "-1"),
    "binary length huge": binary(ROW, "999999999999999999"),
    "binary length of 5,000 digits": binary(ROW, LONG),
    "binary length a word": binary(ROW, "twelve"),
    "binary length a fraction": binary(ROW, "1.5"),
    "binary length empty": binary(ROW, ""),
    "binary length 0": binary(ROW, "0", says="empty"),
    "binary length too small": binary(ROW, "10"),
    "binary length left out": Case(OIP, json.dumps({"inputs": [tensor()]}).encode() + ROW),
    "binary data too short": binary(ROW[:-1], says="24 bytes"),
    "binary data too long": binary(ROW + b"\0", says="24 bytes"),
    "binary data for nobody": binary(ROW, parameters={"binary_data_size": 0}),
    "binary data beside data": binary(ROW, data=[1, 2, 3], says="both 'data' and"),
    "binary data left over": binary(ROW + b"\0", parameters={"binary_data_size": 24}),
    "binary size beyond the body": binary(ROW, parameters={"binary_data_size": 25}),
    "binary size negative": binary(ROW, parameters={"binary_data_size": -24}),
    "binary size huge": binary(ROW, parameters={"binary_data_size": 10**30}),
    "binary size a fraction": binary(ROW, parameters={"binary_data_size": 24.0}),
    "binary size a boolean": binary(ROW, parameters={"binary_data_size": True}),
    "binary size text": binary(ROW, parameters={"binary_data_size": "24"}),
    "binary size without a header": oip(
        [tensor(data=None, parameters={"binary_data_size": 24})], "0 bytes"
    ),
    "binary text cut short": binary(
        b"\x05\0\0\0ab", path=TEXT, datatype="BYTES", shape=[1, 2], says="ends inside"
    ),
    "binary text with a huge element": binary(
        b"\xff\xff\xff\xffab", path=TEXT, datatype="BYTES", shape=[1, 2], says="ends inside"
    ),
    "binary text with too few": binary(
        b"\x01\0\0\0a", path=TEXT, datatype="BYTES", shape=[1, 2], says="2 elements"
    ),
    "binary text with too many": binary(
        b"\x01\0\0\0a" * 3, path=TEXT, datatype="BYTES", shape=[1, 2], says="2 elements"
    ),
    "binary text that is no text": binary(
        b"\x01\0\0\0\xff" * 2, path=TEXT, datatype="BYTES", shape=[1, 2], says="UTF-8"
    ),
    # What the body is said to be.
    "XML": plain("<x/>", "'text/xml'", 415, content_type="text/xml"),
    "a form that is none": plain(
        GOOD, "no multipart/form-data", content_type="multipart/form-data; boundary=x"
    ),
    "a form without a boundary": plain(GOOD, "boundary", content_type="multipart/form-data"),
    "a form that ends early": plain(
        b'--x\r\ncontent-disposition: form-data; name="x"\r\n\r\n[1,2,3]',
        "ends too early",
        content_type="multipart/form-data; boundary=x",
    ),
    "a form whose part has no name": plain(
        b"--x\r\ncontent-disposition: form-data\r\n\r\n[1,2,3]\r\n--x--\r\n",
        "no name",
        content_type="multipart/form-data; boundary=x",
    ),
    "a picture": plain(b"GIF89a", "'x', not a file alone", 415, content_type="image/gif"),
    "a text alone": plain(b"hello", "not a text alone", 415, content_type="text/plain"),
    "XML, OIP": Case(OIP, b"<x/>", 415, {"Content-Type": "text/xml"}, "'text/xml'"),
    "CSV that is none": plain(b"\xff\xfe", "UTF-8", content_type="text/csv"),
    "CSV with words": plain("1,2,three", "'three'", content_type="text/csv"),
    "CSV with NaN": plain("1,2,NaN", content_type="text/csv"),
    "CSV that is ragged": plain("1,2,3\n4,5", content_type="text/csv"),
    "CSV that is empty": plain("", content_type="text/csv"),
    "npy that is none": plain(GOOD, "npy", content_type="application/x-npy"),
    "npy of objects": plain(
        b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
        + b" " * 60
        + b"\n\x80\x04N.",
        content_type="application/x-npy",
    ),
    "npy with more behind it": plain(
        NPY + b"junk", "takes 24 bytes and at least one, and 28 came", content_type=NPY_TYPE
    ),
    "npy that claims a petabyte": plain(
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False,"
        b" 'shape': (99999999999999, 3), }" + b" " * 43 + b"\n",
        content_type="application/x-npy",
    ),
    "brotli": plain(GOOD, "'br'", 415, content_encoding="br"),
    "brotli, OIP": Case(OIP, b"{}", 415, {"Content-Encoding": "br"}),
    "gzip that is none": plain(GOOD, "not what its encoding says", content_encoding="gzip"),
    "gzip cut short": plain(gzip.compress(GOOD.encode())[:-4], content_encoding="gzip"),
    "gzip with a false checksum": plain(
        gzip.compress(GOOD.encode())[:-8] + b"\0" * 8, content_encoding="gzip"
    ),
    "gzip of nothing": plain("", "empty", content_encoding="gzip"),
    "gzip of many parts": plain(gzip.compress(b"") * 1000, content_encoding="gzip"),
    "an answer nobody writes": plain(GOOD, "Accept", 406, accept="image/png"),
    "an answer refused": plain(GOOD, "Accept", 406, accept="application/json;q=0"),
    "no time": plain(GOOD, "X-Request-Timeout", x_request_timeout="0"),
    "negative time": plain(GOOD, "X-Request-Timeout", x_request_timeout="-1"),
    "time with an underscore": plain(GOOD, "X-Request-Timeout", x_request_timeout="1_0"),
    "time in words": plain(GOOD, "X-Request-Timeout", x_request_timeout="soon"),
    "time that is none, OIP": oip([tensor()], "X-Request-Timeout", x_request_timeout="nan"),
    # Too large.
    "too large": plain(b" " * (LIMIT + 1), f"{LIMIT} bytes", 413),
    "too large, OIP": Case(OIP, b" " * (LIMIT + 1), 413),
    "a gzip bomb": plain(BOMB, f"{LIMIT} bytes", 413, content_encoding="gzip"),
    "a deflate bomb": plain(zlib.compress(b" " * 10**7), "", 413, content_encoding="deflate"),
    "a gzip bomb of two parts": plain(
        gzip.compress(b" " * (LIMIT - 1)) + gzip.compress(b"  "), "", 413, content_encoding="gzip"
    ),
    "a gzip bomb, OIP": Case(
        OIP, BOMB, 413, {"Content-Encoding": "gzip"}, f"{LIMIT} bytes"
    ),
    # Who is meant.
    "unknown model": Case("/models/nix/predict", GOOD.encode(), 404, says="'nix'"),
    "unknown model, OIP": Case("/v2/models/nix/infer", b"{}", 404, says="'nix'"),
    "unknown version": Case("/models/linear/versions/9/predict", b"{}", 404, says="'9'"),
    "unknown version, OIP": Case("/v2/models/linear/versions/9/infer", b"{}", 404, says="'9'"),
    "unknown alias": Case("/models/linear/versions/gold/predict", b"{}", 404, says="alias 'gold'"),
    "version -1": Case("/models/linear/versions/-1/predict", b"{}", 404),
    "version 01": Case("/models/linear/versions/01/predict", b"{}", 404),
    "several models and no name": Case("/predict", GOOD.encode(), 404, says="several"),
} | {
    f"model {name} at {start}": Case(f"{start}{name}{end}", b"{}", 404)
    for start, end in (("/models/", "/predict"), ("/v2/models/", "/infer"))
    for name in [
        *("..", ".", "%2e%2e", "%2E%2e%2f", "a%2fb", "%2fetc%2fpasswd", "..%2f..%2fetc%2fpasswd"),
        *("..%5c", "%00", "linear%00", "%0d%0aX:1", "%ff", "%", "%zz", "", "linear%20", "LINEAR"),
        *("linear;x", "../linear", "//", "%252e%252e", "a" * 4000, "%F0%9F%98%80", "*", "~root"),
    ]
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bad_input_gets_a_4xx_and_the_next_good_request_is_answered(
    server: Served, case: Case
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("POST", case.path, case.body, case.headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == case.status, body
        check_shape(body, answer.headers["x-request-id"])
        assert case.says in json.loads(body)["error"]
        # http.client opens another connection where the server closed this one.
        connection.request("POST", PLAIN, GOOD)
        assert connection.getresponse().read() == b'{"prediction":1.8}'
    finally:
        connection.close()


def check_shape(body: bytes, request_id: str) -> None:
    error = json.loads(body)
    assert set(error) == {"error", "code", "detail", "request_id"}
    assert isinstance(error["error"], str)
    assert error["error"]
    assert error["code"].replace("_", "").isupper()
    assert isinstance(error["detail"], dict)
    assert error["request_id"] == request_id
    assert len(body) < 5000
    for secret in (b"Traceback", b"site-packages", b".py", b".onnx", b"/work", b"/tmp"):
        assert secret not in body


@pytest.mark.parametrize("path", [PLAIN, OIP])
def test_a_chunked_body_over_the_limit_is_refused_while_it_is_sent(
    server: Served, path: str
) -> None:
    with server.connect() as wire:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire.sendall(head.encode())
        chunk = b"%x\r\n%b\r\n" % (50_000, b" " * 50_000)
        for _ in range(10):
            wire.sendall(chunk)
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        body = answer.read()
        assert answer.status == 413
        assert answer.headers["connection"] == "close"
        check_shape(body, answer.headers["x-request-id"])
    assert server.post(PLAIN, GOOD).body == b'{"prediction":1.8}'


def test_a_body_announced_too_large_is_refused_before_it_is_sent(server: Served) -> None:
    with server.connect() as wire:
        head = f"POST {PLAIN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**15}\r\n\r\n"
        wire.sendall(head.encode())
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        assert answer.status == 413
        assert b"limit" in answer.read()


def test_the_answer_to_a_client_that_goes_on_sending_is_not_lost_in_a_reset(
    server: Served,
) -> None:
    # A server that closed at once, with bytes unread, would make the client's kernel throw the
    # answer away. What is sent here is far more than the socket's buffers hold.
    with server.connect() as wire:
        head = f"POST {PLAIN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**9}\r\n\r\n"
        wire.sendall(head.encode())
        for _ in range(200):
            wire.sendall(b" " * 100_000)
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        assert answer.status == 413
        check_shape(answer.read(), answer.headers["x-request-id"])
        assert wire.recv(1) == b""


def test_a_program_that_could_not_be_loaded_keeps_its_secrets(tmp_path: Path) -> None:
    program = tmp_path / "app.py"
    program.write_text("raise RuntimeError('postgres://me:hunter2@db')")
    with serving([LINEAR, source(program, attribute="f")]) as server:
        answers = [
            server.post("/models/app/predict", GOOD),
            server.post("/v2/models/app/infer", GOOD),
            server.get("/models"),
            server.get("/models/app"),
            server.get("/openapi.json"),
        ]
        assert [answer.status for answer in answers] == [503, 503, 200, 200, 200]
        for answer in answers:
            assert b"'app.py' raised RuntimeError" in answer.body
            assert b"hunter2" not in answer.body


def test_a_model_that_could_not_be_loaded_says_why_and_shows_no_path(tmp_path: Path) -> None:
    for name, content in {"empty": b"", "words": b"words", "cut": b"\x08\x08\x12"}.items():
        (tmp_path / f"{name}.onnx").write_bytes(content)
    sources = [source(tmp_path / f"{name}.onnx") for name in ("empty", "words", "cut")]
    with serving([LINEAR, *sources]) as server:
        for broken in sources:
            for path in (f"/models/{broken.name}/predict", f"/v2/models/{broken.name}/infer"):
                answer = server.post(path, GOOD)
                assert answer.status == 503
                assert answer.json["code"] == "NOT_READY"
                assert "could not be loaded" in answer.json["error"]
                assert str(tmp_path).encode() not in answer.body
        assert server.post(PLAIN, GOOD).status == 200
        assert server.get("/v2/health/ready").status == 200
