"""The scheduler in virtual time: arrivals, machines, policies, and what became of it."""
