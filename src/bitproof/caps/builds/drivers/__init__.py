"""How a repository is built, one driver a file. A driver looks and returns a `Recipe`; it runs no step itself."""
