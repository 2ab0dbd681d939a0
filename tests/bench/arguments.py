"""What the benchmarks' options may be. A wrong one is told before anything is built or started, and says what is wanted."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path

WHOLE_MAX = 1_000_000_000
PORT_BASE_MIN, PORT_BASE_MAX = 1024, 65000
# What the load's programs take.
SECONDS_MAX = 86400
IN_FLIGHT_MAX = 1_000_000
OFFER_SECONDS_MAX = 600
# Of a topic of ours: as many as there are consumers, or cores for them. Each that a batch meets is a request to the broker.
PARTITIONS = 2


def whole(least: int, most: int = WHOLE_MAX) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"'{text}' must be a whole number from {least:,} to {most:,}")
        return value
    return read


def number(least: float, most: float, otherwise: float | None = None) -> Callable[[str], float]:
    """`otherwise` is allowed, too."""
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if value != otherwise and not least <= value <= most:  # nor is NaN
            also = f", or {otherwise:g}" if otherwise is not None else ""
            raise argparse.ArgumentTypeError(f"'{text}' must be a number from {least:,} to {most:,}{also}")
        return value
    return read


def numbers(least: float, most: float) -> Callable[[str], list[float]]:
    one = number(least, most)

    def read(text: str) -> list[float]:
        try:
            return [one(word) for word in text.split(",")]
        except argparse.ArgumentTypeError:
            raise argparse.ArgumentTypeError(
                f"'{text}' must be numbers from {least:,} to {most:,} with commas between, like 1,2.5") from None
    return read


def output_file(text: str) -> Path:
    """A file that can be written once everything has been measured; it is not touched yet."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"'{text}' is a folder: name a file")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"'{text}' cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"'{text}' cannot be written: permission denied")
    return path


def add_partitions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--partitions", type=whole(1, 1000), default=PARTITIONS, metavar="N",
                        help="of each topic of ours: as many as there are consumers, or cores for them; sagactl topics create makes 6 "
                             f"when it is told nothing ({PARTITIONS})")


def add_stack(parser: argparse.ArgumentParser, root: Path) -> None:
    """Where a benchmark's stack listens, and what it is made of."""
    parser.add_argument("--port-base", type=whole(PORT_BASE_MIN, PORT_BASE_MAX), metavar="N", default=17000,
                        help="first of twenty ports to try (17000)")
    parser.add_argument("--build", type=lambda text: Path(text).resolve(), metavar="FOLDER", default=root / "build" / "bench",
                        help="CMake build to use, made as Release when it is not there (build/bench)")
    parser.add_argument("--kafka-libs", type=Path, metavar="FOLDER", default=root / "build" / "dev" / "kafka" / "libs",
                        help="the broker's jars, fetched by deploy/up (build/dev/kafka/libs)")
