"""Signals that wait: what must not be interrupted is done before Python's handlers hear of them."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

_NUMBERS = sorted(signal.valid_signals())


class Signals:
    """Stands before every handler of a signal that Python calls, and lets signals through or makes them wait.

    Python calls handlers in the main thread, between any two of its instructions, and most of them raise. So
    every handler is replaced while nothing has been changed yet; what arrives is handed to the handler that
    was there, where `release` has allowed it, or waits. The first exception that a handler raises makes all
    later signals wait: the way out is not interrupted a second time. In other threads there is nothing to do.

    Attributes:
        released: Whether signals are let through.

    Args:
        never: The code in which signals wait in any case, whatever it calls included: that of a context's two
            ends, which must be whole.
    """

    def __init__(self, never: tuple[CodeType, ...]) -> None:
        """Change nothing."""
        self._never = never
        self._handlers: dict[int, Any] = {}
        self._waiting: list[int] = []
        self.released = False
        self._own = self._handle

    def hold(self) -> None:
        """Make all signals wait from here on; called again, those too whose handler is newer."""
        self.released = False
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _NUMBERS:
            handler = signal.getsignal(number)
            if callable(handler) and handler != self._own:
                self._handlers[number] = handler
                signal.signal(number, self._own)

    def release(self) -> None:
        """Let signals through, those first that have waited."""
        self.released = True
        while self._waiting:
            self._handle(self._waiting.pop(0), None)

    def pause(self) -> None:
        """Make signals wait again, until the next `release`."""
        self.released = False

    def hand_back(self, keep: Callable[[BaseException], object]) -> None:
        """Deliver what has waited, even if a handler raises, then put all handlers back.

        Args:
            keep: Called with what a handler raises, while further signals wait; must not raise.
        """
        try:
            self._answer(keep)
        finally:
            try:
                self._hand_back(list(self._handlers.items()))
            finally:
                self._deliver()  # what has come meanwhile

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.released or self._is_within(frame):
            if number not in self._waiting:
                self._waiting.append(number)
            return
        try:
            self._handlers[number](number, frame)
        except BaseException:
            self.released = False
            raise

    def _is_within(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code in self._never:
                return True
            frame = frame.f_back
        return False

    def _hand_back(self, handlers: list[tuple[int, Any]]) -> None:
        if not handlers:
            return
        number, handler = handlers[-1]
        try:
            if signal.getsignal(number) == self._own:  # else someone has set another one meanwhile
                signal.signal(number, handler)
        finally:
            self._hand_back(handlers[:-1])

    def _answer(self, keep: Callable[[BaseException], object]) -> None:
        if self._waiting:
            number = self._waiting.pop(0)
            try:
                self._handlers[number](number, sys._getframe())
            except BaseException as error:
                keep(error)
                raise
            finally:
                self._answer(keep)

    def _deliver(self) -> None:
        if self._waiting:
            try:
                signal.raise_signal(self._waiting.pop(0))
            finally:
                self._deliver()
