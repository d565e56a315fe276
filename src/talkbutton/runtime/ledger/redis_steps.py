"""The steps of ``RedisLedger``, in Lua.

Numbers go both ways as text, because Redis would cut them to integers. Keys are named from what
comes in ``ARGV``: see ``redis``.
"""

__all__ = ["RELEASE", "RENEW", "SETTLE", "TAKE", "WEIGH"]

_COMMON = """
local GRACE_MS = 60000

local function ends(key) return 'talkbutton:ends:' .. key end
local function weights(key) return 'talkbutton:weights:' .. key end
local function keys_of(holder) return 'talkbutton:keys:' .. holder end

-- The grace is for clocks that differ: a hold's end is by the caller's clock.
local function keep(name, left_s)
  local left_ms = math.ceil(left_s * 1000) + GRACE_MS
  if left_ms < GRACE_MS then left_ms = GRACE_MS end
  if redis.call('PTTL', name) < left_ms then redis.call('PEXPIRE', name, left_ms) end
end

local function sweep(key, now)
  for _, holder in ipairs(redis.call('ZRANGEBYSCORE', ends(key), '-inf', now)) do
    redis.call('ZREM', ends(key), holder)
    redis.call('HDEL', weights(key), holder)
    redis.call('SREM', keys_of(holder), key)
  end
end

local function is_held(key, holder, now)
  local till = redis.call('ZSCORE', ends(key), holder)
  return till and tonumber(till) > tonumber(now)
end

local function weight_of(key, holder)
  return tonumber(redis.call('HGET', weights(key), holder) or 1)
end

local function weigh(key)
  local others = redis.call('HVALS', weights(key))
  local sum = redis.call('ZCARD', ends(key)) - #others
  for _, weight in ipairs(others) do sum = sum + tonumber(weight) end
  return sum
end
"""

TAKE = (
    _COMMON
    + """
local now, holder = ARGV[1], ARGV[2]

local function room_at(key, excess)
  local holds = redis.call('ZRANGE', ends(key), 0, -1, 'WITHSCORES')
  for at = 1, #holds, 2 do
    excess = excess - weight_of(key, holds[at])
    if excess <= 0 then return holds[at + 1] end
  end
  return ''
end

for at = 3, #ARGV, 4 do
  local key, limit, weight = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  sweep(key, now)
  local excess = weigh(key) + weight - limit
  if excess > 0 then return {tostring((at - 3) / 4), room_at(key, excess)} end
end

for at = 3, #ARGV, 4 do
  local key, weight, till = ARGV[at], ARGV[at + 2], ARGV[at + 3]
  if tonumber(weight) > 0 then
    local left_s = tonumber(till) - tonumber(now)
    redis.call('ZADD', ends(key), till, holder)
    keep(ends(key), left_s)
    if tonumber(weight) == 1 then
      redis.call('HDEL', weights(key), holder)
    else
      redis.call('HSET', weights(key), holder, weight)
      keep(weights(key), left_s)
    end
    redis.call('SADD', keys_of(holder), key)
    keep(keys_of(holder), left_s)
  end
end
return false
"""
)

RENEW = (
    _COMMON
    + """
local now, holder, till = ARGV[1], ARGV[2], ARGV[3]
for at = 4, #ARGV do
  if not is_held(ARGV[at], holder, now) then return 0 end
end
local left_s = tonumber(till) - tonumber(now)
for at = 4, #ARGV do
  local key = ARGV[at]
  redis.call('ZADD', ends(key), till, holder)
  keep(ends(key), left_s)
  if redis.call('EXISTS', weights(key)) == 1 then keep(weights(key), left_s) end
end
keep(keys_of(holder), left_s)
return 1
"""
)

SETTLE = (
    _COMMON
    + """
local now, holder, key, weight = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not is_held(key, holder, now) then return 0 end
if tonumber(weight) == 1 then
  redis.call('HDEL', weights(key), holder)
else
  redis.call('HSET', weights(key), holder, weight)
  local latest = redis.call('ZREVRANGE', ends(key), 0, 0, 'WITHSCORES')
  keep(weights(key), tonumber(latest[2]) - tonumber(now))
end
return 1
"""
)

RELEASE = (
    _COMMON
    + """
local holder = ARGV[1]
local keys = {}
if #ARGV == 1 then
  keys = redis.call('SMEMBERS', keys_of(holder))
else
  for at = 2, #ARGV do keys[#keys + 1] = ARGV[at] end
end
for _, key in ipairs(keys) do
  redis.call('ZREM', ends(key), holder)
  redis.call('HDEL', weights(key), holder)
  redis.call('SREM', keys_of(holder), key)
end
return 0
"""
)

WEIGH = (
    _COMMON
    + """
sweep(ARGV[2], ARGV[1])
return string.format('%.17g', weigh(ARGV[2]))
"""
)
