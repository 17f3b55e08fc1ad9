"""What components are made of."""
