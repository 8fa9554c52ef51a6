"""Draws a growing spiral through the live lane; saves the last picture. Written from protocol.md.

pip install websockets pillow
python draw.py ws://127.0.0.1:7860/live "a yellow snail" spiral.jpg
"""

import io
import json
import math
import sys

from PIL import Image, ImageDraw
from websockets.sync.client import connect

NUM_STROKES = 30


def pack(header, payload=b""):
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "big") + text + payload


def unpack(message):
    end = 4 + int.from_bytes(message[:4], "big")
    return json.loads(message[4:end]), message[end:]


def spiral(part, side=256):
    """The sketch when `part` (0 to 1) of the spiral is drawn, as JPEG bytes."""
    turns = [12 * part * step / 200 for step in range(201)]
    points = [(side / 2 + 9 * t * math.cos(t), side / 2 + 9 * t * math.sin(t)) for t in turns]
    sketch = Image.new("RGB", (side, side), "white")
    ImageDraw.Draw(sketch).line(points, fill="#e0a020", width=side // 24, joint="curve")
    sketch.save(buffer := io.BytesIO(), "JPEG", quality=90)
    return buffer.getvalue()


def main(address, prompt, file):
    with connect(address, max_size=None, compression=None) as lane:
        lane.send(pack({"kind": "hello", "protocol": 1, "page": "example", "token": None}))
        request_id = answered = 0
        while answered < NUM_STROKES:
            header, payload = unpack(lane.recv(timeout=60, decode=False))
            if header["kind"] == "frame":
                answered = header["request_id"]
                print(f"picture {answered}: {sum(header['timings'].values()):.0f} ms in the server")
                with open(file, "wb") as target:
                    target.write(payload)
            elif header["kind"] == "error":
                sys.exit(header["text"])
            # after these the waiting place is free: send the newest state
            if header["kind"] in ("welcome", "taken") and request_id < NUM_STROKES:
                request_id += 1
                params = {"prompt": prompt, "seed": 7} if request_id == 1 else {}
                frame = {"kind": "frame", "request_id": request_id, "params": params}
                lane.send(pack(frame, spiral(request_id / NUM_STROKES)))


if __name__ == "__main__":
    main(*sys.argv[1:4])
