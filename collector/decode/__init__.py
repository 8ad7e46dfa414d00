"""Bytes in, plain values out, always within limits.

Pure functions over bytes: nothing here touches a socket or a file. Records come out as
plain JSON values (``dict`` with ``str`` keys, ``list``, ``str``, ``int``, ``float``,
``bool``, ``None``), whatever MessagePack could say beyond that.
"""

from collector.decode.forward_message import ForwardMessage, decode_message
from collector.decode.frames import Framer
from collector.decode.inflate import inflate
from collector.decode.json_body import decode_json
from collector.decode.result import DEFAULT_LIMITS, Broken, Decoded, Limits, Unreadable

__all__ = [
    "DEFAULT_LIMITS",
    "Broken",
    "Decoded",
    "ForwardMessage",
    "Framer",
    "Limits",
    "Unreadable",
    "decode_json",
    "decode_message",
    "inflate",
]
