-- What a resume needs beside states and cursors: the second that a feed has passed.
ALTER TABLE feed_marks ADD COLUMN second BIGINT;
