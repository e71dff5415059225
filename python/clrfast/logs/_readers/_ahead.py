"""Blocks parsed in threads while the ones before them are used and the ones behind them are read."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TypeVar

Block = TypeVar("Block")
Parsed = TypeVar("Parsed")
_MOST = min((os.cpu_count() or 1) + 1, 8)  # blocks at once: each takes memory, and one is being waited for


def ahead(parse: Callable[[Block], Parsed], blocks: Iterable[Block]) -> Iterator[tuple[Block, Parsed]]:
    """Yield each block and what `parse` makes of it, in their order."""
    from concurrent.futures import Future, ThreadPoolExecutor

    blocks = iter(blocks)
    start = list(islice(blocks, 2))
    if len(start) < 2:  # most files are small, and a thread would take longer
        yield from ((block, parse(block)) for block in start)
        return
    with ThreadPoolExecutor(_MOST) as pool:
        waiting: deque[tuple[Block, Future[Parsed]]] = deque()
        for block in chain(start, blocks):
            waiting.append((block, pool.submit(parse, block)))
            if len(waiting) > _MOST:
                first, parsed = waiting.popleft()
                yield first, parsed.result()
        for first, parsed in waiting:
            yield first, parsed.result()
