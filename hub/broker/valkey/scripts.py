"""What is changed on the server in one go, in Lua. A script runs whole, and nothing else runs meanwhile.

Decisions that need a row's content are made in Python: it reads the row, and `TAKE` changes it only if it still is what was read. What Lua
has to know of a row stands before it: `generation owner live agent ended\\n`, and of a node `protocol secret\\n`.
"""

from dataclasses import dataclass
from hashlib import sha1
from typing import Final

NEWS_KEPT = 10_000
"""How many news are kept for nodes that missed some. At a hundred news per second, a node may be away for a minute and a half, and then
reads the snapshot, as it would after a restart."""


@dataclass(frozen=True, slots=True)
class LuaScript:
    """A script, and the name by which a server that has it runs it."""

    source: str
    sha: str


def _script(source: str) -> LuaScript:
    return LuaScript(source, sha1(source.encode(), usedforsecurity=False).hexdigest())


REGISTRY = """
local STATE, ROWS, NODES, LEASES, LIVE, AGENTS, ENDED, ERASED, NEWS = unpack(KEYS)
local candidate, channel = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The life is made up by whoever comes first after the data was lost.
local life = redis.call('HGET', STATE, 'life')
if not life then
  life = candidate
  redis.call('HSET', STATE, 'life', life, 'number', 0)
  redis.call('DEL', NEWS)
end
if not tonumber(redis.call('HGET', STATE, 'number')) then return redis.error_reply('WRONGTYPE the number of news is none') end

local function head_of(row)
  if not row then return nil end
  local generation, owner, live, agent, ended = string.match(row, '^(%d+) (%S+) (%d) (%d) (%d*)\\n')
  if not generation then return nil end
  return {generation = tonumber(generation), owner = owner, live = live == '1', agent = agent == '1', ended = ended}
end

local function holds(owner)
  return (tonumber(redis.call('ZSCORE', LEASES, owner) or 0)) > now
end

local function drop(sid)
  local old = head_of(redis.call('HGET', ROWS, sid))
  if old then redis.call('ZREM', LIVE, old.owner .. '\\0' .. sid) end
  redis.call('HDEL', AGENTS, sid)
  redis.call('ZREM', ENDED, sid)
  redis.call('HDEL', ROWS, sid)
end

local function put(sid, row)
  local new, old = head_of(row), redis.call('HGET', ROWS, sid)
  if old and string.match(old, '^[^\\n]*') ~= string.match(row, '^[^\\n]*') then drop(sid) end
  redis.call('HSET', ROWS, sid, row)
  if new.live then
    redis.call('ZADD', LIVE, 0, new.owner .. '\\0' .. sid)
    if new.agent then redis.call('HSET', AGENTS, sid, new.owner) end
    -- An owner that has never beaten holds no lease.
    if not redis.call('ZSCORE', LEASES, new.owner) then redis.call('ZADD', LEASES, 0, new.owner) end
  else
    redis.call('ZADD', ENDED, new.ended, sid)
  end
end

local function tell(row, event)
  local number = redis.call('HINCRBY', STATE, 'number', 1)
  redis.call('XADD', NEWS, 'MAXLEN', '~', %(kept)d, '0-' .. number, 'r', row, 'e', event)
  redis.call('%(publish)s', channel, life .. ' ' .. number .. ' ' .. #row .. '\\n' .. row .. event)
end
""".replace("%(kept)d", str(NEWS_KEPT))

BEAT = """
local id, node, lease, keep, joining, kind = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[8]
local pause = tonumber(ARGV[9])
local living = redis.call('ZRANGEBYSCORE', LEASES, '(' .. now, '+inf')
if joining == '1' and #living > 0 then
  for _, other in ipairs(redis.call('HMGET', NODES, unpack(living))) do
    if other and string.match(other, '^(.-)\\n') ~= kind then return {0, other} end
  end
end
-- Was the server away? It is another process, or no node at all has reached it for some time.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
local before = redis.call('HMGET', STATE, 'run', 'beaten')
if before[1] ~= run or now - (tonumber(before[2]) or now) > pause then redis.call('HSET', STATE, 'run', run, 'resumed', now) end
redis.call('HSET', STATE, 'beaten', now)
redis.call('HSET', NODES, id, node)
redis.call('ZADD', LEASES, now + lease, id)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now - 3600000, 'LIMIT', 0, 100)) do
  -- What a node was is kept for as long as it has calls that others have to take over.
  if #redis.call('ZRANGEBYLEX', LIVE, '[' .. gone .. '\\0', '(' .. gone .. '\\1', 'LIMIT', 0, 1) == 0 then
    redis.call('ZREM', LEASES, gone)
    redis.call('HDEL', NODES, gone)
  end
end
for _, sid in ipairs(redis.call('ZRANGEBYSCORE', ENDED, '-inf', now - keep, 'LIMIT', 0, 500)) do drop(sid) end
redis.call('ZREMRANGEBYSCORE', ERASED, '-inf', now)
living = redis.call('ZRANGEBYSCORE', LEASES, '(' .. now, '+inf')
return {1, life, tonumber(redis.call('HGET', STATE, 'number')), redis.call('HMGET', NODES, unpack(living)), time[1], time[2]}
"""

LEAVE = """
redis.call('ZADD', LEASES, 0, ARGV[3])
"""

LOOK = """
local row = redis.call('HGET', ROWS, ARGV[3])
local head = head_of(row)
if not head then return {row or '', '', 0, 0} end
-- A node that left, or has never beaten, has 0 in the place of its lease.
local ends = tonumber(redis.call('ZSCORE', LEASES, head.owner) or 0)
local broker_was_away = ends > 0 and ends - tonumber(ARGV[4]) < tonumber(redis.call('HGET', STATE, 'resumed') or 0)
return {row, redis.call('HGET', NODES, head.owner) or '', holds(head.owner) and 1 or 0, broker_was_away and 1 or 0}
"""

TAKE = """
local sid, expected, row, told, event = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local at_most, steady, erased_ms = tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
if (redis.call('HGET', ROWS, sid) or '') ~= expected then return {0, 0} end
if at_most >= 0 then
  local answering = 0
  local agents = redis.call('HGETALL', AGENTS)
  for i = 1, #agents, 2 do
    if agents[i] ~= sid and (steady == '0' or holds(agents[i + 1])) then answering = answering + 1 end
  end
  if answering >= at_most then return {2, answering} end
end
if erased_ms > 0 then
  drop(sid)
  redis.call('ZADD', ERASED, now + erased_ms, sid)
else
  redis.call('ZREM', ERASED, sid)
  put(sid, row)
end
if told == '1' then tell(row, event) end
return {1, 0}
"""

REGISTER = """
local taken = {}
for i = 3, #ARGV, 3 do
  local sid, row, event = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local new, old = head_of(row), head_of(redis.call('HGET', ROWS, sid))
  local moved = not old or old.generation ~= new.generation or old.owner ~= new.owner
  if redis.call('ZSCORE', ERASED, sid) or (old and moved and new.generation <= old.generation) then
    taken[#taken + 1] = 0
  else
    put(sid, row)
    if moved or event ~= '' then tell(row, event) end
    taken[#taken + 1] = 1
  end
end
return taken
"""

LOST = """
local rows = {}
for _, owner in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now)) do
  for _, member in ipairs(redis.call('ZRANGEBYLEX', LIVE, '[' .. owner .. '\\0', '(' .. owner .. '\\1', 'LIMIT', 0, 1000)) do
    local row = redis.call('HGET', ROWS, string.sub(member, #owner + 2))
    if row then rows[#rows + 1] = row end
  end
end
return rows
"""

NEWS = """
return {life, tonumber(redis.call('HGET', STATE, 'number')), redis.call('XRANGE', NEWS, '0-' .. ARGV[3], '+', 'COUNT', 500)}
"""

MEND = """
-- Removes keys that are not what they have to be: somebody else wrote there. Everyone reads and registers everything again.
local types = {'hash', 'hash', 'hash', 'zset', 'zset', 'hash', 'zset', 'zset', 'stream'}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= types[i] then redis.call('DEL', key) end
end
redis.call('DEL', KEYS[9])
redis.call('HSET', KEYS[1], 'life', ARGV[1], 'number', 0)
"""

REHEARSE = """
-- Does once what all other scripts do, so that a user who may not is found out when the hub starts.
for _, call in ipairs({
  {'HSET', KEYS[1], 'a', '1'}, {'HINCRBY', KEYS[1], 'a', 1}, {'HGET', KEYS[1], 'a'}, {'HMGET', KEYS[1], 'a'}, {'HGETALL', KEYS[1]},
  {'HDEL', KEYS[1], 'a'}, {'ZADD', KEYS[1], 0, 'a'}, {'ZSCORE', KEYS[1], 'a'}, {'ZRANGEBYSCORE', KEYS[1], '-inf', '+inf'},
  {'ZRANGEBYLEX', KEYS[1], '-', '+'}, {'ZREMRANGEBYSCORE', KEYS[1], '-inf', '+inf'}, {'ZREM', KEYS[1], 'a'},
  {'XADD', KEYS[1], '0-1', 'e', ''}, {'XRANGE', KEYS[1], '-', '+'}, {'XTRIM', KEYS[1], 'MINID', '0-1'}, {'PEXPIRE', KEYS[1], 1000},
  {'EXISTS', KEYS[1]}, {'TYPE', KEYS[1]}, {'INFO', 'server'}, {'DEL', KEYS[1]}, {'%(publish)s', ARGV[1], ''},
}) do redis.call(unpack(call)) end
"""

FENCE = """
local stored = redis.call('HMGET', KEYS[1], 'generation', 'owner')
local generation, owner = tonumber(stored[1]) or 0, stored[2] or ''
local mine = tonumber(ARGV[1])
if generation > mine or (generation == mine and owner ~= '' and owner ~= ARGV[2]) then return generation end
redis.call('HSET', KEYS[1], 'generation', mine, 'owner', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 0
"""

FORGET = """
local generation = math.max(tonumber(redis.call('HGET', KEYS[1], 'generation')) or 0, tonumber(ARGV[1])) + 1
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'generation', generation, 'owner', '')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return generation
"""

CLEAR = """
redis.call('DEL', KEYS[1], KEYS[2])
"""

APPEND = """
local HEAD, LOG = KEYS[1], KEYS[2]
local mine, writer, epoch, first, oldest = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local head = redis.call('HMGET', HEAD, 'generation', 'owner', 'epoch', 'newest')
local generation, owner, same = tonumber(head[1]) or 0, head[2] or '', head[3] == epoch
if mine < generation or (mine == generation and owner ~= '' and writer ~= '' and owner ~= writer) then return {2, generation, 0} end
local newest = same and tonumber(head[4]) or 0
if newest > 0 and redis.call('EXISTS', LOG) == 0 then newest = 0 end
local anew = not same or newest + 1 < oldest
if first ~= (anew and oldest or newest + 1) then return {1, newest, 0} end
if anew then
  redis.call('DEL', LOG)
  redis.call('HDEL', HEAD, 'note')
end
for i = 10, #ARGV do redis.call('XADD', LOG, '0-' .. (first + i - 10), 'e', ARGV[i]) end
newest = first + #ARGV - 10
redis.call('HSET', HEAD, 'generation', mine, 'owner', writer, 'epoch', epoch, 'newest', newest)
if ARGV[9] ~= '' then redis.call('HSET', HEAD, 'note', ARGV[9]) end
if oldest > 1 and not anew then redis.call('XTRIM', LOG, 'MINID', '0-' .. oldest) end
redis.call('PEXPIRE', HEAD, ARGV[6])
redis.call('PEXPIRE', LOG, ARGV[6])
local listeners = 0
if #ARGV >= 10 then listeners = redis.call('%(publish)s', ARGV[7], ARGV[8]) end
return {0, newest, listeners}
"""

READ = """
local head = redis.call('HMGET', KEYS[1], 'generation', 'epoch', 'note')
return {tonumber(head[1]) or 0, head[2] or '', head[3] or '', redis.call('XRANGE', KEYS[2], '0-' .. ARGV[1], '+', 'COUNT', 1000)}
"""


class Scripts:
    """All scripts, for servers of one kind: in a Cluster, messages are published where their slot is."""

    def __init__(self, *, sharded: bool) -> None:
        publish = "SPUBLISH" if sharded else "PUBLISH"

        def made(source: str) -> LuaScript:
            return _script(source.replace("%(publish)s", publish))

        self.beat: Final = made(REGISTRY + BEAT)
        self.leave: Final = made(REGISTRY + LEAVE)
        self.look: Final = made(REGISTRY + LOOK)
        self.take: Final = made(REGISTRY + TAKE)
        self.register: Final = made(REGISTRY + REGISTER)
        self.lost: Final = made(REGISTRY + LOST)
        self.news: Final = made(REGISTRY + NEWS)
        self.mend: Final = made(MEND)
        self.rehearse: Final = made(REHEARSE)
        self.fence: Final = made(FENCE)
        self.forget: Final = made(FORGET)
        self.clear: Final = made(CLEAR)
        self.append: Final = made(APPEND)
        self.read: Final = made(READ)
        self.publish: Final = publish
