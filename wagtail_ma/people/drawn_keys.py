"""Keys of browsers whose first message is not in the database yet.

Where messages are gathered before they are written, the answer to a browser's first one carries its
key, while its identity is only made some moments later. Such a key is drawn so that all processes
draw the same one for the same view: a message that is sent again makes no second visitor.

The cookie is dated. For an hour its key counts as *fresh*: we drew it, or looked it up, not long ago, and
if it is not in the database it is on its way there. An older one is looked up again.
"""

from __future__ import annotations

import base64
from datetime import datetime
from uuid import UUID

from wagtail_ma.core import tokens

# How long (seconds) a key is fresh, and a repeated message finds the same key.
FRESH_SECONDS = 3600
_BYTES = 16


def draw(view_id: UUID, *, now: datetime) -> str:
    """The key for a browser that brings none, from the id of its view.

    The id is random and known to nobody but its browser. Nobody can compute the key from it without
    the installation's secret, and within an hour we give it to nobody but who knows the id.
    """
    hour = int(now.timestamp()) // FRESH_SECONDS
    digest = tokens.keyed_hash("drawn key", view_id.bytes + hour.to_bytes(8, "big"))
    return base64.urlsafe_b64encode(digest[:_BYTES]).rstrip(b"=").decode("ascii")
