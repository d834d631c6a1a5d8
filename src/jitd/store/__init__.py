"""All SQL of the project: numbered migrations and one module per noun."""
