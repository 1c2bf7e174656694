"""Sealing: what lies on disk can be read only with the key ring; what must be found again is found by keyed hashes.

What is sealed: bodies of messages, events and deliveries, recorded answers, acknowledgements, and everything that can carry an
identifier (business keys, ordering keys, control ids, senders, kinds, details). Ids, names of the site's own things, states,
reason codes and times stay readable.
"""

from isthmus.journals.sealing.keyring import Keyring

__all__ = ["Keyring"]
