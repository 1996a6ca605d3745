-- Where a kept copy of the message goes (JSON), if its entrance has chosen that and a step keeps one.
ALTER TABLE journal ADD COLUMN kept_copy TEXT;
