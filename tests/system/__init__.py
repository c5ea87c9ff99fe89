"""Tests of system/: one file a module, one test a rule or a fault."""
