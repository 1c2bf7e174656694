"""The benchmark of the product: ``make bench``, or ``python -m bench.product --help``. See bench/README.md and decision 0017."""
