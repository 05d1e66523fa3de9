"""Objects of Unity Catalog: credentials, locations, grants, tags of columns; and SQL on a warehouse."""
