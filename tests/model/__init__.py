"""Tests of model/: one file a module, one test a rule or a fault."""
