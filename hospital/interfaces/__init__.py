"""One folder for each interface: what comes in, what it means, what goes out, with fixtures, expected plans and tests."""
