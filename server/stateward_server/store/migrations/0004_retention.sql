-- What the total order says about itself: which run wrote which positions, and how much of it has been pruned.

-- A run of the server, by the position it began after; what follows, up to the next row, is of that run. It
-- tells whether a place in the order is still the one that a resume token was made for, also when the row at
-- that place is gone.
CREATE TABLE epochs (
  position INTEGER PRIMARY KEY,
  epoch    INTEGER NOT NULL
);
INSERT INTO epochs SELECT min(position) - 1, epoch FROM transitions GROUP BY epoch;

ALTER TABLE meta ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0; -- the highest position that was pruned

-- From here on a deletion has a position of its own.
CREATE INDEX deletions_by_position ON deletions (position);
