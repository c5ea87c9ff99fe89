"""Tests of the room vm."""
