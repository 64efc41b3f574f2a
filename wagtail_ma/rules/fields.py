"""StreamFields whose blocks come from a registry at run time."""

from __future__ import annotations

from typing import Any

from django.utils.functional import cached_property
from wagtail.blocks import StreamBlock
from wagtail.fields import StreamField


class LazyStreamField(StreamField):
    """A StreamField that asks :meth:`build_block` for its blocks on first use.

    The block definitions stay out of migrations: with them, a host project that registers a fact
    of its own would make ``makemigrations`` write into our package.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # StreamField takes the blocks first; ours has none, so a verbose name may come first.
        if args and not isinstance(args[0], (list, tuple)):
            kwargs.setdefault("verbose_name", args[0])
        kwargs.pop("block_types", None)
        kwargs.pop("block_lookup", None)
        super().__init__([], **kwargs)

    def build_block(self) -> StreamBlock:
        """The StreamBlock of this field, made from what is registered now."""
        return StreamBlock([])

    @cached_property
    def stream_block(self) -> StreamBlock:
        block = self.build_block()
        block.set_meta_options(self.block_opts)
        return block

    def formfield(self, **kwargs: Any) -> Any:
        from wagtail_ma.rules.block_widget import CompactBlockWidget

        return super().formfield(**{"widget": CompactBlockWidget(self.stream_block), **kwargs})

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, _args, kwargs = super(StreamField, self).deconstruct()
        return name, path, [], kwargs


class RuleField(LazyStreamField):
    """The conditions of a rule tree, as blocks made from the registered facts."""

    def build_block(self) -> StreamBlock:
        from wagtail_ma.rules.blocks import rule_stream_block

        return rule_stream_block()


def stored(value: Any) -> list[dict[str, Any]]:
    """The conditions of a rule as they are stored (ids in place of objects), without a statement.

    :param value: what a :class:`RuleField` holds, be it from the database or from a form.
    """
    return list(value.stream_block.get_prep_value(value))
