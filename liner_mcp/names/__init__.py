"""Names and ids of orders, agents, groups and statuses."""
