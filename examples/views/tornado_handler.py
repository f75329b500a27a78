"""A model behind a Tornado handler: `python tornado_handler.py`, beside a model.onnx.

Tornado answers all requests from one event loop, which a model must not hold up: the prediction
runs in a thread, and ONNX Runtime lets go of the interpreter's lock while it calculates.
"""

import asyncio
import logging
from collections.abc import Callable

from tornado.escape import json_decode, json_encode
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler

import modelport
from modelport.core.errors import InvalidInput, ModelportError


class Predict(RequestHandler):
    def initialize(self, predict: Callable[[object], object]) -> None:
        self.predict = predict

    async def post(self) -> None:
        try:
            data = json_decode(self.request.body)
        except ValueError as error:
            return self.answer({"error": f"the body is not JSON: {error}"}, 400)
        try:
            self.answer(await IOLoop.current().run_in_executor(None, self.predict, data))
        except InvalidInput as error:
            self.answer({"error": error.message, "code": error.code}, 400)
        except ModelportError as error:
            logging.getLogger(__name__).exception("the model failed")
            self.answer({"error": "the model failed", "code": error.code}, 500)

    def answer(self, value: object, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json_encode(value))


def make_app(path: str = "model.onnx") -> Application:
    return Application([("/predict", Predict, {"predict": modelport.load(path).predict})])


async def main() -> None:
    make_app().listen(8888, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
