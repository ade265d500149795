-- Until when no link that signs in goes to an address, because somebody else gave it to its person; NULL: it takes links.
ALTER TABLE person_address ADD COLUMN no_links_until TEXT;
