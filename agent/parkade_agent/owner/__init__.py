"""The owner's word: what the owner allows, agrees to and takes back, in files that no network can write."""
