"""Record an action around the code that does it: outcome, duration, error, both states."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from activity_center.emit.event import OMITTED, failure

if TYPE_CHECKING:
    from activity_center.emit.emitter import Emitter

F = TypeVar("F", bound=Callable[..., Any])
FROM_CALL = ("resource", "user", "organization", "old", "metadata")
"""Arguments of :func:`decorate` that may be functions of the call's arguments."""


class Recording:
    """One action that is being done; set what is learned on the way.

    Attributes:
        resource, new, reason, metadata: as for :meth:`Emitter.emit`.
        outcome: ``None`` lets the end decide: success, or failure when an error came out.
        fields: further fields by dotted name.
    """

    def __init__(self, emitter: Emitter, action: str, said: Mapping[str, Any]) -> None:
        rest = dict(said)
        self._emitter = emitter
        self._action = action
        self._required = rest.pop("require_record", None)
        self._began = 0
        self._denied = False
        self.resource: Any = rest.pop("resource", None)
        self.old = rest.pop("old", OMITTED)
        self.new: Any = rest.pop("new", OMITTED)
        self.outcome: str | None = rest.pop("outcome", None)
        self.reason: str | None = rest.pop("reason", None)
        self.metadata: Any = rest.pop("metadata", None)
        self.fields: dict[str, Any] = rest

    @property
    def old(self) -> Any:
        """The state before; copied when it is set, since the action is about to change it."""
        return self._old

    @old.setter
    def old(self, value: Any) -> None:
        self._old = value if value is OMITTED else self._emitter.snapshot(value)

    def deny(self, reason: str) -> None:
        """Record that the action was refused: ``event.type: denied``, outcome failure."""
        self._denied = True
        self.outcome = "failure"
        self.reason = reason

    def __enter__(self) -> Recording:
        self._began = time.perf_counter_ns()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        said = dict(self.fields)
        said["event.duration"] = time.perf_counter_ns() - self._began
        if self._denied:
            said["event.type"] = ["denied"]
        outcome, reason = self.outcome, self.reason
        if error is None or (isinstance(error, SystemExit) and not error.code):
            outcome = outcome or "success"
        elif isinstance(error, GeneratorExit):
            outcome = outcome or "unknown"
            reason = reason or "the generator was closed before its end"
        else:
            outcome = outcome or "failure"
            said["error"] = _failure(error)
        said |= {"resource": self.resource, "outcome": outcome, "reason": reason}
        said |= {"old": self.old, "new": self.new, "metadata": self.metadata}
        # The caller's own error goes first: a record that failed beside it is counted.
        self._emitter.emit(
            self._action, require_record=self._required if error is None else False, **said
        )

    async def __aenter__(self) -> Recording:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)


def _failure(error: BaseException) -> dict[str, Any]:
    try:
        return failure(error)
    except Exception as wrong:  # an exception whose own methods raise
        return {"type": type(error).__name__, "message": f"(unreadable: {type(wrong).__name__})"}


def decorate(emitter: Emitter, action: str, said: Mapping[str, Any]) -> Callable[[F], F]:
    """Return the decorator; see :meth:`Emitter.record`."""

    def decorator(function: F) -> F:
        def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recording:
            ready = dict(said)
            for name in FROM_CALL:
                if callable(ready.get(name)):
                    ready[name] = emitter.guarded(ready[name], *args, **kwargs)
            if callable(ready.get("new")):
                del ready["new"]
            return Recording(emitter, action, ready)

        def end(recording: Recording, result: Any) -> None:
            new = said.get("new")
            if callable(new) and recording.new is OMITTED:
                recording.new = emitter.guarded(new, result)

        return _wrap(function, begin, end)

    return decorator


def _wrap(
    function: F,
    begin: Callable[[tuple[Any, ...], dict[str, Any]], Recording],
    end: Callable[[Recording, Any], None],
) -> F:
    """Wrap by kind, so that the wrapped one stays what it was to ``inspect``."""
    wrapper: Any
    if inspect.iscoroutinefunction(function):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with begin(args, kwargs) as recording:
                result = await function(*args, **kwargs)
                end(recording, result)
                return result

        wrapper = coroutine
    elif inspect.isasyncgenfunction(function):

        async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            with begin(args, kwargs):
                inner = function(*args, **kwargs)
                try:
                    step = inner.asend(None)
                    while True:
                        try:
                            item = await step
                        except StopAsyncIteration:
                            return
                        try:
                            sent = yield item
                        except GeneratorExit:
                            raise
                        except BaseException as thrown:
                            step = inner.athrow(thrown)
                        else:
                            step = inner.asend(sent)
                finally:
                    await inner.aclose()

        wrapper = async_generator
    elif inspect.isgeneratorfunction(function):

        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with begin(args, kwargs) as recording:
                result = yield from function(*args, **kwargs)
                end(recording, result)
                return result

        wrapper = generator
    else:

        def plain(*args: Any, **kwargs: Any) -> Any:
            with begin(args, kwargs) as recording:
                result = function(*args, **kwargs)
                end(recording, result)
                return result

        wrapper = plain
    functools.update_wrapper(wrapper, function)
    result: F = wrapper
    return result
