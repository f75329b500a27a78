"""A model behind a Flask view: `flask --app flask_view run`, beside a model.onnx.

Flask gives each request a thread (or a process, under gunicorn), so the view may simply wait for
the model; threads that share it take turns.
"""

from http import HTTPStatus

from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

import modelport
from modelport.core.errors import InvalidInput, ModelportError


def create_app(path: str = "model.onnx") -> Flask:
    app = Flask(__name__)
    model = modelport.load(path)

    @app.post("/predict")
    def predict() -> ResponseReturnValue:
        return app.json.response(model.predict(request.get_json()))

    @app.errorhandler(InvalidInput)
    def refused(error: InvalidInput) -> ResponseReturnValue:
        return {"error": error.message, "code": error.code}, HTTPStatus.BAD_REQUEST

    @app.errorhandler(ModelportError)
    def failed(error: ModelportError) -> ResponseReturnValue:
        app.logger.error("the model failed", exc_info=error)
        body = {"error": "the model failed", "code": error.code}
        return body, HTTPStatus.INTERNAL_SERVER_ERROR

    @app.errorhandler(HTTPException)
    def wrong_request(error: HTTPException) -> ResponseReturnValue:
        return {"error": error.description}, error.code or HTTPStatus.INTERNAL_SERVER_ERROR

    return app
