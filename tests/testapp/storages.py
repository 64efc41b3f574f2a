"""Storages that are not a directory of this machine."""

from __future__ import annotations

import posixpath

from django.core.files.storage import InMemoryStorage


class MuteStorage(InMemoryStorage):
    """Files without paths and without addresses."""

    def path(self, name):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def _relative_path(self, name):  # type: ignore[no-untyped-def]
        return posixpath.normpath(name)

    def url(self, name):  # type: ignore[no-untyped-def]
        raise NotImplementedError


class PublicStorage(MuteStorage):
    """A public bucket: addresses for everybody, for ever."""

    def url(self, name):  # type: ignore[no-untyped-def]
        return f"https://files.example/{name}"


class SignedStorage(MuteStorage):
    """A private bucket: addresses for a time."""

    def url(self, name):  # type: ignore[no-untyped-def]
        return f"https://files.example/{name}?expires=60&signature=abc"
