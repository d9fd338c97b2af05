"""What a file named `.csv` really is, where it begins like one of another format."""

from typing import Final

_SIGNATURES: Final = (
    (b"\x1f\x8b", "a gzip file", "decompress it"),
    (b"PK\x03\x04", "a ZIP file", "unpack it"),
    (b"BZh", "a bzip2 file", "decompress it"),
    (b"\xfd7zXZ\x00", "an xz file", "decompress it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "decompress it"),
    (b"PAR1", "a Parquet file", "write it as CSV"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
    (b"t\0s\0_\0", "UTF-16 text", "save it as UTF-8"),
    (b"\0t\0s\0_", "UTF-16 text", "save it as UTF-8"),
    (b"{", "JSON, such as an error of a vendor", "fetch the month again"),
    (b"[", "JSON", "write it as CSV or fetch the month again"),
    (b"<", "HTML or XML, such as a page that tells of an error", "fetch the month again"),
)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def foreign_format(begin: bytes) -> str | None:
    """What a file is and the cure, a sentence without its full stop; `None` where it may be a CSV file.

    Args:
        begin: the first bytes, a few hundred or all.
    """
    text = begin.removeprefix(_BYTE_ORDER_MARK).lstrip(b" \t\r\n")
    for signature, what, cure in _SIGNATURES:
        if begin.startswith(signature) or text.startswith(signature):
            return f"the file is {what}, not a CSV of bars: {cure}"
    if begin.startswith(b"\0"):
        return "the file begins with NUL bytes, as a power cut leaves them: fetch the month again"
    if b"\r" in begin and b"\n" not in begin:
        return "the lines of the file end with CR alone, as on old Macs, not with a line feed: convert its line ends"
    return None
