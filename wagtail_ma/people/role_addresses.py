"""Addresses of a desk and not of a person: info@, sales@ …"""

from __future__ import annotations

import re

# RFC 2142's names, what firms use, and the Japanese words for the same desks.
NAMES = frozenset(  # a text of words reads better than a list of a hundred quotes
    """
    abuse accounting accounts admin administrator all billing booking business careers chief
    contact contactus customer customers customerservice editor enquiries enquiry everyone feedback
    finance general hello help helpdesk hiring hostmaster hr info information inquiries inquiry
    invoice invoices it jobs legal mail mailbox mailer-daemon marketing media news newsletter
    no-reply noc nobody noreply office order orders partner partners payments postmaster pr press
    privacy purchase purchasing reception recruit recruiting recruitment root sales security
    service services shop staff subscribe supplier support sysadmin system team tech unsubscribe
    web webadmin webmaster
    daihyo daihyou eigyo eigyou gyomu hanbai hosyu jimu jimukyoku jinji jouhou joho keiri kikaku
    kobai koho kouhou madoguchi otoiawase saiyo saiyou shien shoumu somu soumu toiawase uketsuke
    """.split()  # noqa: SIM905
)
# Desks that branches have too: info-jp@, sales.tokyo@, support2@.
BRANCH_NAMES = frozenset(
    {"contact", "eigyo", "eigyou", "info", "inquiry", "office", "saiyo", "sales", "soumu", "support"}
)
BRANCH_MARK = re.compile(r"[-._+]|\d+$")


def is_role_address(email: str) -> bool:
    """Whether a normalised address is read by whoever is on duty."""
    local = email.partition("@")[0]
    return local in NAMES or BRANCH_MARK.split(local)[0] in BRANCH_NAMES
