"""Channels: signed, fresh releases in a place that anyone can serve. Knows TUF and places, not what a manifest says."""
