"""Pickles that hold plain data only: nothing in them can be executed.

Source: the referring sets come as pickles of Python 2. A pickle is a program for a small machine;
this reader knows only those of its instructions that build None, numbers, texts, lists, tuples and
dicts. The ones that look up or call something do not exist here.
"""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path

from lisa_ros.errors import DatasetError
from training.data.fields import read_content

_PLAIN = (
    *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.POP_MARK),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
    *(pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2),
    *(pickle.LONG, pickle.LONG1, pickle.FLOAT, pickle.BINFLOAT),  # LONG4: too long to be written
    *(pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING),
    *(pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE),
    *(pickle.EMPTY_LIST, pickle.LIST, pickle.APPEND, pickle.APPENDS),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_DICT, pickle.DICT, pickle.SETITEM, pickle.SETITEMS),
    *(pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE),
    *(pickle.GET, pickle.BINGET, pickle.LONG_BINGET),
)


# The interpreter written in Python, because the one in C has no table of instructions, and because
# a 6-byte pickle makes it allocate 64 GB of memo. It takes about a second for 10 MB.
class _PlainUnpickler(pickle._Unpickler):
    dispatch = {code[0]: pickle._Unpickler.dispatch[code[0]] for code in _PLAIN}  # noqa: RUF012


def load_plain_pickle(path: Path) -> object:
    """Read a pickle of plain data; byte strings of Python 2 become str by latin-1.

    Raises:
        DatasetError: the file cannot be read, is no pickle, is cut short, or holds anything but
            plain data.

    """
    content = read_content(path)
    try:
        return _PlainUnpickler(io.BytesIO(content), encoding="latin1").load()
    except KeyError as error:
        raise DatasetError(
            f"{path} holds more than plain data (instruction {error.args[0]!r}), so it was not "
            "loaded: a pickle can run code. Use the original file."
        ) from error
    except _MALFORMED as error:
        raise DatasetError(
            f"{path} is no intact pickle: {error or type(error).__name__}. Download it again."
        ) from error


# What the interpreter raises on bytes that make no sense.
_MALFORMED = (
    *(pickle.UnpicklingError, EOFError, struct.error),
    *(ValueError, IndexError, TypeError, AttributeError, OverflowError, MemoryError),
)
