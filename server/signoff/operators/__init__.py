"""Pages for people: magic links, the inbox and the case page; server-rendered, complete without JavaScript.

Imported only where HTTP is served. Whoever opens a page is known by a cookie and by nothing else: no bearer
key is ever read here, so no credential of an agent opens anything.
"""
