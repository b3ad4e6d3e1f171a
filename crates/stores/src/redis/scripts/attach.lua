-- ARGV: 6 over how many slots the map is spread. Replies over how many it is.
call('HSETNX', STATE, 'slots', ARGV[6])
return { OK, tonumber(call('HGET', STATE, 'slots')) }
