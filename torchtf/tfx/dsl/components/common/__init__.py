"""Nodes that no executor runs."""
