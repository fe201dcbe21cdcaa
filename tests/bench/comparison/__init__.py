"""The parts of tests/bench/compare: one module for each thing that is compared, and what they stand on."""
