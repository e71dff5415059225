"""Attributes of a scheduler that its plan is made from."""

from __future__ import annotations

from typing import Any


class Setting:
    """An attribute in the instance's __dict__ that the plan is made from: setting it drops the plan."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        try:
            return instance.__dict__[self._name]
        except KeyError:
            raise AttributeError(
                f"'{type(instance).__name__}' object has no attribute '{self._name}'"
            ) from None

    def __set__(self, instance: Any, value: Any) -> None:
        instance._drop_plan()
        instance.__dict__[self._name] = value

    def __delete__(self, instance: Any) -> None:
        instance._drop_plan()
        del instance.__dict__[self._name]
