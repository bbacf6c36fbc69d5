"""Every decision of Parkade, pure: values in, a value with its reason out. No I/O, no clock, no randomness."""
