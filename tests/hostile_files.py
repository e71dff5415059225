"""Small files that ask for much: each is a function that gives its bytes, by the name of the file."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable

import pyarrow as pa

MB = 1 << 20
ROW = b"lr,loss\n0.1,2\n"


def zst(piece: bytes, times: int) -> bytes:
    """Of text that repeats: streams one after another, so that it need not be held whole to be written."""
    whole = pa.compress(piece * (64 * MB // len(piece)), "zstd", asbytes=True)
    return whole * times


def repeated_rows() -> bytes:
    return pa.compress(b"lr,loss\n", "zstd", asbytes=True) + zst(b"0.1,2\n", 2)


def json_zst() -> bytes:
    return (
        pa.compress(b"[" + b" " * MB, "zstd", asbytes=True)
        + zst(b" ", 60)
        + pa.compress(b"]", "zstd", asbytes=True)
    )


def objects_zst() -> bytes:
    """Below the budget, of what costs most to parse."""
    return pa.compress(b'[{"lr":1,"loss":2}' + b",{}" * (5 * MB) + b"]", "zstd", asbytes=True)


def events_zst() -> bytes:
    length = struct.pack("<Q", 0x7FFFFFFF)
    return pa.compress(length + masked(length), "zstd", asbytes=True) + zst(b"x", 33)


def events() -> bytes:
    """A record that says it has 2 GiB, in a file of 200 MB."""
    length = struct.pack("<Q", 0x7FFFFFFF)
    return length + masked(length) + bytes(200 * MB)


def masked(data: bytes) -> bytes:
    crc = ~0 & 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc = ~crc & 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def overlapping_zip(members: int = 20_000, size: int = 64 * MB) -> bytes:
    """All members are the same bytes: the directory names them again and again."""
    text = b"lr,loss\n" + b"0.1,2\n" * (size // 6)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(text) + packer.flush()
    crc = zlib.crc32(text)
    names = [f"{i:05}.csv".encode() for i in range(members)]
    local = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(packed), len(text), len(names[0]), 0
    )
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, len(packed), len(text), 9, *[0] * 6
    )
    start = local + names[0] + packed
    directory = b"".join(entry + name for name in names)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, members, members, len(directory), len(start), 0)
    return start + directory + end


def many_members_zip() -> bytes:
    """Apart from each other, but each becomes a thousand times as large, and most by another way yet."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_BZIP2) as archive:
        for i in range(12):
            archive.writestr(f"{i}.csv", ROW + b"\n" * (MB if i else 17 * MB))
    return stream.getvalue()


def nested_zip() -> bytes:
    """A bomb in a bomb: each alone is in the bounds of what it was unpacked from."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.csv.gz", gzip.compress(ROW + b"\n" * (16 * MB)) * 200)
    return stream.getvalue()


def forged_xz() -> bytes:
    """Says that it needs a dictionary of 4 GiB."""
    data = bytearray(lzma.compress(ROW, format=lzma.FORMAT_XZ, check=lzma.CHECK_NONE))
    size = (data[12] + 1) * 4
    flags = 12 + 2
    assert data[flags] == 0x21  # LZMA2, one byte of properties
    data[flags + 2] = 40
    data[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(data[12 : 12 + size - 4]))
    return bytes(data)


def unlike_rows() -> bytes:
    """Each row has a name of its own: a table of them would be the square of the file."""
    return json.dumps([{"lr": 1, "loss": 2, f"x{i}": 0} for i in range(30_000)]).encode()


def deep_names() -> bytes:
    """Objects inside each other, so that names are long, and many."""
    inner = ",".join(f'"{i}":[0]' for i in range(100_000))
    return b'{"lr":[1],"loss":[2],"x":' + b'{"name":' * 900 + f"{{{inner}}}".encode() + b"}" * 901


def deep_lists() -> bytes:
    return b'{"lr":[1,2],"loss":[2,3],"x":' + b"[" * 900 + b"1," * 500_000


def wide_npy() -> bytes:
    import numpy as np

    stream = io.BytesIO()
    header = {"descr": "|i1", "fortran_order": False, "shape": (0, 4_000_000)}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


def constant_parquet() -> bytes:
    from pyarrow import parquet

    stream = io.BytesIO()
    rows = 8_000_000
    column = pa.repeat(0.1, rows)
    table = pa.table({"lr": column, "loss": column})
    parquet.write_table(table, stream, compression="zstd", row_group_size=rows)
    return stream.getvalue()


# What reading gives: a number of rows, or what the error says.
FILES: dict[str, tuple[Callable[[], bytes], int | str]] = {
    "space.json.zst": (json_zst, "more than 100 times as large"),
    "objects.json.zst": (objects_zst, "more than 100 times as large"),
    "blank.csv.gz": (lambda: gzip.compress(ROW + b"\n" * (64 * MB), 6), 1),
    "blank.jsonl.gz": (
        lambda: gzip.compress(b'{"lr":1,"loss":2}\n' + b"\n" * (64 * MB), 6),
        1,
    ),
    "rows.csv.zst": (
        repeated_rows,
        "more than 1,000 times as large",
    ),
    "a.tfevents.zst": (events_zst, "more than 1,000 times as large"),
    "b.tfevents": (events, "no record in it is sound"),
    "overlapping.zip": (overlapping_zip, "20,000 of 20,000 members overlap others"),
    "many.zip": (many_members_zip, "10.csv: becomes more than 1,000 times as large"),
    "nested.zip": (nested_zip, "more than 1,000 times as large"),
    "forged.csv.xz": (forged_xz, "the compressed data end before any can be read"),
    "unlike.json": (unlike_rows, 30_000),
    "deep.json": (deep_names, 1),
    "lists.json": (deep_lists, 2),
    "wide.npy": (wide_npy, "is no table of columns"),
    "constant.parquet": (constant_parquet, "more than 1,000 times as large"),
}
