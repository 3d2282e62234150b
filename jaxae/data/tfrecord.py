"""TFRecord files without TensorFlow: the framing, and the checksums that tell a damaged file."""

import struct
from pathlib import Path

import numpy as np


def records(path: Path) -> list[bytes]:
    """The records of one file: each framed by its length (8 bytes), two masked CRC-32C (4 bytes each).

    Raises ValueError if the file is cut short or the bytes of a record are not those that were written.
    """
    data = path.read_bytes()
    starts, lengths, end = [], [], 0
    while end + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, end)  # its own checksum adds nothing: a wrong one misplaces the next
        starts.append(end + 12)
        lengths.append(length)
        end += length + 16
    if end != len(data):
        raise ValueError("the last record is cut short")
    stored = [struct.unpack_from("<I", data, start + length)[0] for start, length in zip(starts, lengths, strict=True)]
    computed = masked_crc32c(np.frombuffer(data, np.uint8), np.array(starts, np.int64), np.array(lengths, np.int64))
    if not np.array_equal(computed, np.array(stored, np.uint32)):
        raise ValueError("the checksum of a record is wrong")
    return [data[start : start + length] for start, length in zip(starts, lengths, strict=True)]


def masked_crc32c(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The masked CRC-32C, uint32[n], of the n stretches of `data` (uint8[m]) at `starts` of these `lengths` (int64[n]).

    All stretches advance together, a byte at a time: in Python, one after the other would take minutes.
    """
    order = np.argsort(-lengths)  # longest first, so that those still running are the first ones
    starts, ascending = starts[order], lengths[order][::-1]
    crc = np.full(len(starts), 0xFFFFFFFF, np.uint32)
    for offset in range(lengths.max(initial=0)):
        running = len(crc) - np.searchsorted(ascending, offset, side="right")
        byte = data[starts[:running] + offset]
        crc[:running] = _TABLE[(crc[:running] ^ byte) & 0xFF] ^ (crc[:running] >> 8)
    result = np.empty_like(crc)
    result[order] = ~crc
    return ((result >> 15) | (result << 17)) + np.uint32(0xA282EAD8)


def _table() -> np.ndarray:
    """The 256 remainders of the Castagnoli polynomial, reflected."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


_TABLE = _table()
