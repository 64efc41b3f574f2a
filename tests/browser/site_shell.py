"""A process of a running site that does what the tests tell it: ``python -m tests.browser.site_shell``.

To start Django takes seconds, each time; this one stays. One order a line, as JSON: the code of
``{"code": …}`` is run, and what it printed answered. It ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import redirect_stdout
from io import StringIO


def run(code: str) -> dict[str, str]:
    """Run Python; what it printed, and what went wrong (or "")."""
    from django.db import connections

    printed, error = StringIO(), ""
    try:
        with redirect_stdout(printed):
            exec(code, {})
    except (Exception, SystemExit):
        error = traceback.format_exc()
    finally:
        # As a process that ends leaves it: nothing is held, nothing is seen as it was.
        connections.close_all()
    return {"printed": printed.getvalue(), "error": error}


def main() -> None:
    """Answer orders until there are no more."""
    import django

    django.setup()
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line)["code"])), flush=True)


if __name__ == "__main__":
    main()
