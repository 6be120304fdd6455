"""The mark of the key by which a lake's ids are hashed. With another key the same user is another one: nothing would join, and an
erasure would find nobody, without a word. The mark tells keys apart and nothing of them.
"""

import hashlib
import hmac

from penstock.errors import ConfigurationError
from penstock.lake.place import Place
from penstock.lake.storage_failure import storage_failures

_NAME = "_key_mark"


def require_same_key(root: Place, key: bytes) -> None:
    """Leave the mark of this key where there is none; ConfigurationError where there is that of another."""
    place, mark = root / _NAME, hmac.digest(key, b"penstock lake", hashlib.sha256).hex().encode()
    with storage_failures("compare the key with the mark of the lake", place):
        if not place.is_file():
            place.replace_durably(mark)
        found = place.read_bytes()
    if not hmac.compare_digest(found, mark):
        raise ConfigurationError(
            f"The ids in the lake {root} were hashed with another key than the secret.key of this home, so nothing would join. "
            f"Copy the secret.key of the home that the lake was begun with. If it is lost for good, delete {place}: users and "
            "keys that come from then on are others than those stored before."
        )
