"""Failure drills: a site of real parts in a sandbox, a fault that strikes under load, and exact accounts afterwards.

``sandbox`` builds the place (practice systems, gates before them, a folder), ``node`` is the engine's process, ``load`` speaks to it,
``catalogue`` lists the faults, ``course`` runs one drill from the first message to the last count, and ``accounts`` counts by ids.
"""
