"""A lambda that `cape plugin check` finds nothing wrong with."""
import hashlib

import cape


def process(event):
    if not event.payload:
        raise cape.Skip("nothing in it")
    return hashlib.sha256(event.payload).digest()
