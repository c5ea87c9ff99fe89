"""The TUF client conformance suite: an adaptor to it, and tests of the adaptor."""
