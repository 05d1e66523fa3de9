"""Objects of Unity Catalog: credentials, locations, grants; and SQL on a warehouse."""
