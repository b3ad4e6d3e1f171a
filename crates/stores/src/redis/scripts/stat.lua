-- Replies entries, bytes, version.
return { OK, call('HLEN', ENTRIES), bytes, version }
