"""What a detector finds in a text, as text."""

from penstock.text.patterns import Detector


def detected(detector: Detector, text: str) -> list[tuple[str, str]]:
    data = text.encode()
    return [(data[found.start : found.end].decode(), found.kind) for found in detector.find(data)]
