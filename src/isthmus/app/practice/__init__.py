"""Practice hospital: an EHR, a laboratory, a pharmacy and wards that speak as real ones do, the same from the same seed.

``population`` invents patients, ``stay`` tells one patient's stay as messages, ``day`` lets patients arrive as they do in a
hospital and merges their stays in time, ``faults`` disturbs that stream on request, ``player`` speaks it over real MLLP
connections. Everything up to the player is pure; it writes its HL7 by hand, so that it is a test of our codec and no echo of it.
"""
