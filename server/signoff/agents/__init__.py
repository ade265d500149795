"""The doors through which agents ask, and what they are told there.

Every door calls the same desk and has no rules of its own. Who an agent is comes from its credential, never from
what it sends, and nothing it gets here decides anything: no magic link, no sign-in session, no key.
"""
