"""Decisions about one vehicle: may it work, and what does its Node say."""
