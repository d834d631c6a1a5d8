"""The Typer application, and what verbs share: options, questions, plans, waiting."""
