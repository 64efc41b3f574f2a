"""Counts SQL statements inside one process of the example site; prints JSON. Started by run.py."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import django

django.setup()

from django.test import Client  # noqa: E402

from company.models import ProductPage  # noqa: E402
from tests.statements import counted  # noqa: E402

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def main() -> None:
    """Print the path of the product page and the statements of each kind of request."""
    client = Client(headers={"user-agent": BROWSER, "host": "localhost"})
    path = ProductPage.objects.live().first().get_url_parts()[2]
    counts: dict[str, int] = {}

    def count(name: str, send: object) -> None:
        # The worker is woken once in some seconds, not by each hit.
        with counted() as found:
            send()  # type: ignore[operator]
        counts[name] = sum("django_q" not in sql for sql in found)

    client.get(path)
    count("page", lambda: client.get(path))
    found = re.search(r'data-p="([^"]+)"', client.get(path).content.decode())
    if found:
        _count_hits(count, client, found[1])
    print(json.dumps({"path": path, "statements": counts, "is_tracked": bool(found)}))


def _count_hits(count: object, client: Client, token: str) -> None:
    def send(**fields: object) -> None:
        message = {"k": "p", "v": str(uuid4()), "t": token, "u": "http://localhost/", "y": "n", **fields}
        answer = client.post("/ma/e/", json.dumps(message), content_type="text/plain")
        assert answer.status_code == 204, answer.content

    send()
    view = str(uuid4())
    totals = {"k": "e", "v": view, "q": 1, "e": 3000, "o": 3000, "s": 9}
    count("hit, known visitor", lambda: send(v=view))  # type: ignore[operator]
    count("hit, engagement", lambda: send(**totals))  # type: ignore[operator]
    client.cookies.clear()
    count("hit, new visitor", send)  # type: ignore[operator]


if __name__ == "__main__":
    main()
