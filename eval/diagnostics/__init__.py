"""Looking at a machine and at the product itself: doctor, smoke run, demonstration, benchmarks."""
