"""Tests of bitproof: one file a room or a rule, one test a rule or a fault."""
