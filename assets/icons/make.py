#!/usr/bin/env python3
"""Draws the icon files from the two SVGs: needs rsvg-convert (Debian's librsvg2-bin)."""

import struct
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
ICNS_KINDS = {32: b"icp5", 128: b"ic07", 256: b"ic08", 512: b"ic09"}


def png(svg, size):
    """One of the SVGs as a PNG of size × size."""
    command = ["rsvg-convert", "-w", str(size), "-h", str(size), str(HERE / svg)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def ico(pictures):
    """A Windows icon: a directory of sizes, then the PNGs (size 256 is written as 0)."""
    head, body = struct.pack("<HHH", 0, 1, len(pictures)), b""
    for size, data in pictures.items():
        offset = 6 + 16 * len(pictures) + len(body)
        head += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(data), offset)
        body += data
    return head + body


def icns(pictures):
    """An Apple icon: chunks of a kind, a length and a PNG."""
    body = b"".join(
        ICNS_KINDS[size] + struct.pack(">I", 8 + len(data)) + data for size, data in pictures.items()
    )
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


def main():
    drawn = {size: png("pilotfish.svg", size) for size in (16, 32, 48, 128, 256, 512)}
    for size in (32, 128, 256, 512):
        (HERE / f"{size}x{size}.png").write_bytes(drawn[size])
    (HERE / "icon.png").write_bytes(drawn[512])
    (HERE / "tray.png").write_bytes(png("tray.svg", 64))
    (HERE / "icon.ico").write_bytes(ico({size: drawn[size] for size in (16, 32, 48, 256)}))
    (HERE / "icon.icns").write_bytes(icns({size: drawn[size] for size in ICNS_KINDS}))


if __name__ == "__main__":
    main()
