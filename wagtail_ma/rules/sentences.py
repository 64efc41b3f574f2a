"""A rule in words."""

from __future__ import annotations

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from wagtail_ma.rules.tree import Broken, Group, Node


def sentence(tree: Group | Broken) -> str:
    """The rule as one sentence in the active language, for example
    "viewed “Pricing” at least 3 times in 14 days and first came from a search engine".
    A broken rule reads as its reason."""
    if isinstance(tree, Broken):
        return tree.reason
    return capfirst(_node(tree, top=True))


def _node(node: Node, *, top: bool = False) -> str:
    if not isinstance(node, Group):
        return str(node.condition.sentence(node.values))
    parts = [_node(child) for child in node.children]
    if node.match == "none":
        # Translators: the list is joined by "or".
        return _("none of these: %(conditions)s") % {"conditions": _join(parts, _word("or"))}
    joined = _join(parts, _word("and" if node.match == "all" else "or"))
    if top or len(parts) == 1:
        return joined
    # Translators: conditions that belong together, within a longer sentence.
    return _("(%(conditions)s)") % {"conditions": joined}


def _word(word: str) -> str:
    """ "and" or "or". With a context: without it, ours would take the place of Django's everywhere."""
    words = {
        "and": pgettext("between two conditions", "and"),
        "or": pgettext("between two conditions", "or"),
    }
    return words[word]


def _join(parts: list[str], word: str) -> str:
    # Translators: two conditions and the word between them.
    pattern = _("%(first)s %(word)s %(second)s")
    joined = parts[0]
    for part in parts[1:]:
        joined = pattern % {"first": joined, "word": word, "second": part}
    return joined
