"""Scores as pure functions of counts."""
