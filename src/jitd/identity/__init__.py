"""Users and groups of the system, in three answers: yes, no, unavailable."""
