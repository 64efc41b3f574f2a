"""How the tables of this domain follow a person."""

from __future__ import annotations

from wagtail_ma.core.belongings import Belonging, declare

declare(Belonging("wagtail_ma.Visitor", "root", fields=("merged_into",)))
declare(Belonging("wagtail_ma.Identity", "root"))
declare(Belonging("wagtail_ma.IdentityLink", "root", fields=("identity", "from_visitor", "to_visitor")))
declare(Belonging("wagtail_ma.Lead", "root"))
# The same as in the lead's record.
declare(Belonging("wagtail_ma.LeadPhone", "root", fields=("lead",), is_told=False))
declare(Belonging("wagtail_ma.News", "derived"))
declare(Belonging("wagtail_ma.Affiliation", "root", fields=("lead",)))
# Who may be whom is our guess.
declare(Belonging("wagtail_ma.MergeProposal", "root", fields=("kept", "other"), is_told=False))
