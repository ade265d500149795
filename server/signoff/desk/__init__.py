"""The use cases: one verb or family a file, each a function that reads from top to bottom.

Every door for agents and every page for people calls these and has no rules of its own. Roles, masks and limits
are enforced here.
"""
