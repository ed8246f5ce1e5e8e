"""What was read or answered before, bounded by bytes; one call for all who wait for the same."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """The values used last, up to so many bytes; safe for several threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._under_way: dict[Hashable, Future[Value]] = {}
        self._lock = threading.Lock()
        self.bytes = self.hits = self.misses = 0

    def get(
        self,
        key: Hashable,
        make: Callable[[], Value],
        size: Callable[[Value], int],
        is_current: Callable[[Value], bool] = lambda _: True,
    ) -> Value:
        """Return the value, made at most once however many wait for it; raise what `make` does.

        `is_current`: whether a value that was made before still holds; else it is made anew.
        """
        passed: object = None
        while True:
            with self._lock:
                held = self._held.get(key)
                if held is not None and held is passed:
                    self._drop(key)
                    held = None
                waiting = self._under_way.get(key)
                if held is None and waiting is None:
                    self.misses += 1
                    mine = self._under_way[key] = Future()
            if held is None and waiting is None:
                return self._made(key, mine, make, size)
            if held is not None:
                if is_current(held[0]):
                    return self._hit(key, held[0])
                passed = held
            elif waiting is not None and is_current(value := waiting.result()):
                return value

    def _hit(self, key: Hashable, value: Value) -> Value:
        with self._lock:
            self.hits += 1
            if key in self._held:
                self._held.move_to_end(key)
        return value

    def _made(
        self,
        key: Hashable,
        mine: "Future[Value]",
        make: Callable[[], Value],
        size: Callable[[Value], int],
    ) -> Value:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._under_way[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._under_way[key]
            self._put(key, value, size(value))
        mine.set_result(value)
        return value

    def _drop(self, key: Hashable) -> None:
        _, freed = self._held.pop(key)
        self.bytes -= freed

    def _put(self, key: Hashable, value: Value, size: int) -> None:
        if size > self._most:
            return
        self._held[key] = (value, size)
        self.bytes += size
        while self.bytes > self._most:
            _, (_, freed) = self._held.popitem(last=False)
            self.bytes -= freed
