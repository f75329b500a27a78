from modelport.http.routes import Route
def docs_routes() -> list[Route]:
    return []
