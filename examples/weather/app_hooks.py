"""Hooks of the app: what `process_request` returns travels to the session in its token."""


def process_request(request: object) -> dict[str, str]:
    year = request.arguments.get("year", [b""])[0].decode()
    return {"year": year} if year in {"2012", "2013", "2014", "2015"} else {}
