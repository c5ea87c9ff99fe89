"""Tests of assets/: one file a module, one test a rule or a fault."""
