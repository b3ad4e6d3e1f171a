-- ARGV: 6 for how long changes are to be published, in ms. Replies whether they were all the time
-- since the last call, and the last version.
call('HSET', STATE, 'watched', now + ARGV[6])
return { OK, watched and 1 or 0, version }
