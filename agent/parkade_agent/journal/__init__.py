"""The vehicle's journal: what it must still know after a crash or a power cut."""
