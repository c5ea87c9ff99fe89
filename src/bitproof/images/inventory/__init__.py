"""What packages an image is made of: noted while apt still has them, read from the tree, written as an SBOM."""
