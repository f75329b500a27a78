"""Who is calling and what they may do: pure decisions on plain data."""
