"""Downloads over HTTP: one request with every limit, many ranges into a file, and where a redirect may lead."""
