"""The error of a tool, before a framework turns it into words for the model."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_errors: ContextVar[list[BaseException] | None] = ContextVar(
    "activity_center.adapters.noted", default=None
)


@contextmanager
def failures() -> Iterator[list[BaseException]]:
    """Give the list to which tools that run inside add the errors that they raise."""
    found: list[BaseException] = []
    token = _errors.set(found)
    try:
        yield found
    finally:
        _errors.reset(token)


def noted(function: F) -> F:
    """Return the function or coroutine, whose errors are on record as they are.

    A decorator, next to the function: frameworks tell a model, and a client, less of an error
    than the record should have.
    """
    wrapper: Any
    if inspect.iscoroutinefunction(function):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            except BaseException as error:
                _note(error)
                raise

        wrapper = coroutine
    else:

        def plain(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except BaseException as error:
                _note(error)
                raise

        wrapper = plain
    functools.update_wrapper(wrapper, function)
    wrapped: F = wrapper
    return wrapped


def _note(error: BaseException) -> None:
    found = _errors.get()
    if found is not None:
        found.append(error)
