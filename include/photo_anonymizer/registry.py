"""One registry for every family (detectors, methods, recognisers, attacks, residual cues).

A family is a literal table from a member's name to where its class is; nothing is imported until asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from photo_anonymizer.errors import ConfigError


class Registry(Mapping[str, str]):
    """Names of a family's members → ``"module:Class"``, read-only, classes imported on first use.

    :param family: singular noun for messages, such as ``"method"``.
    :param table: member name → ``"module:Class"``; the class must carry the same ``name``.
    """

    def __init__(self, family: str, table: Mapping[str, str]) -> None:
        self.family = family
        self._table = MappingProxyType(dict(table))

    def __getitem__(self, name: str) -> str:
        return self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def load(self, name: str) -> Any:
        """The class registered under ``name``.

        :raises ConfigError: unknown name (the message lists the known ones), or the class cannot be imported.
        """
        if name not in self._table:
            raise ConfigError(f"unknown {self.family} {name!r}; choose one of: {', '.join(sorted(self._table))}")
        module_name, _, class_name = self._table[name].partition(":")
        try:
            member = getattr(import_module(module_name), class_name)
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"the {self.family} {name!r} cannot be loaded ({error}); install requirements.txt again"
            ) from error
        if getattr(member, "name", None) != name:
            raise ConfigError(
                f"the {self.family} registered as {name!r} calls itself {getattr(member, 'name', None)!r}"
            )
        return member
