"""The composition root: every part in one TaskGroup, started in order, stopped in reverse."""
