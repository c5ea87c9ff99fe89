"""Places where channels lie: a directory, a web server, an S3 store, an OCI registry."""
