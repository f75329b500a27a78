"""A model behind a Django view: `python django_view.py runserver`, beside a model.onnx.

In a project of your own, keep `predict` and its route. A sync view may simply wait for the model:
Django runs it in a thread, under WSGI and ASGI alike.
"""

import functools
import json
import logging
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

import modelport
from modelport.core.errors import InvalidInput, ModelportError

settings.configure(ALLOWED_HOSTS=["127.0.0.1", "localhost"], ROOT_URLCONF=__name__)

# Loaded once, at the first request: other commands of manage.py do not wait for it.
load = functools.cache(modelport.load)


@csrf_exempt  # callers are programs: they hold no cookie that another site could use
@require_POST
def predict(request: HttpRequest) -> JsonResponse:
    try:
        data = json.loads(request.body)
    except ValueError as error:
        return JsonResponse({"error": f"the body is not JSON: {error}"}, status=400)
    try:
        return JsonResponse(load("model.onnx").predict(data), safe=False)
    except InvalidInput as error:
        return JsonResponse({"error": error.message, "code": error.code}, status=400)
    except ModelportError as error:
        logging.getLogger(__name__).exception("the model failed")
        return JsonResponse({"error": "the model failed", "code": error.code}, status=500)


urlpatterns = [path("predict", predict)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
