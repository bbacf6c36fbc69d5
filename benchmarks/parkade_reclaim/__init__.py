"""`make bench-reclaim`: how fast the owner has the vehicle back, by the kernel's clocks."""
