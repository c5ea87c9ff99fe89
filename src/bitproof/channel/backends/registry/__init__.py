"""An OCI registry as clients and publishers use it: requests, logins, blobs, manifests, what artifacts look like."""
