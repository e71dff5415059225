"""All limits of the readers, each with its reason. What a file says of itself is never one of them.

One more is in the core: `kLongestKept` in ``src/cpp/events/reader.hpp``, for records of event files.
"""

from __future__ import annotations

# Sizes to work in: small enough for the caches, large enough for calls to cost nothing.
BLOCK = 1 << 22  # bytes of a file
ROWS = 1 << 18  # of Parquet, Arrow and NumPy's files

# A line of text longer than this, beyond a block, is none: what has no ends of lines is not read whole.
LONGEST_LINE = 1 << 20  # bytes

# Bytes that a compressed file may become, for each byte that it takes on the disk; users may raise it. Logs
# with a step or a loss that moves come to 2 to 100, a hundred metrics that stay 0 to 160 with gzip and 900
# with Zstandard; gzip cannot exceed 1,032. Zstandard could make 4 GB of 64 KB.
MAX_EXPANSION = 1000.0

# What one call may exceed that by, in all its files together: small files of equal rows expand most.
FREE_BYTES = 1 << 24

# How many times each byte of JSON counts, which is held whole, and parsed takes up to 24 times its text.
WHOLE_WEIGHT = 10

# Files that become too large before the call is given up: to begin one costs up to a tenth of a second.
MOST_TOO_LARGE = 10

# What a decompressor of .xz may ask for at once: its strongest setting takes 65 MiB, a forged one 4 GiB.
XZ_MEMORY = 1 << 28  # bytes

# Objects inside each other that still name columns, as in "train/loss": each level makes all names longer.
MOST_NESTED = 32

# Columns of an array, which can say that it has millions and yet be no longer than its header.
MOST_COLUMNS = 100_000

# Rows that cannot be read before a file is given up: finding fault takes a microsecond or two a row.
MOST_BAD_ROWS = 1_000_000
