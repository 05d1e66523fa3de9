"""What is looked for, one module a subject."""
