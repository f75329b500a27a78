"""Between what a person has and what a model takes: fields, plain JSON, tables, labels."""
