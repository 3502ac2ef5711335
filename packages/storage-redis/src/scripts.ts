/**
 * The Lua scripts that make the engine's operations atomic on the server. Each that writes first compares the fence, so
 * that a process whose lease was taken over cannot write any more, however late its command arrives.
 *
 * Keys of one engine share a hash tag:
 *
 *     {prefix}:stamp    whose data this is
 *     {prefix}:lease    who has it open; expires
 *     {prefix}:fence    how often it was opened
 *     {prefix}:values   hash: key -> value
 *     {prefix}:keys     sorted set of the keys, all with score 0: Redis orders equals as memcmp does
 */
import { createHash } from 'node:crypto';

export interface Script {
  readonly source: string;
  readonly sha: string;
}

function script(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/** Error codes that the scripts raise; the first word of a Redis error is its code. */
export const FENCED = 'FENCED';
export const VANISHED = 'VANISHED';

const CHECK_FENCE = `
local fence = redis.call('GET', KEYS[1])
if not fence then return redis.error_reply('${VANISHED} the fence is gone') end
if fence ~= ARGV[1] then return redis.error_reply('${FENCED} opened again since') end
`;

/**
 * KEYS stamp lease fence values; ARGV token leaseMs stamp. Replies {1, fence, stamp} or, when the lease is held by another,
 * {0, its token, ms it still has}, or {2} for values without a stamp.
 */
export const ACQUIRE = script(`
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return {0, owner, redis.call('PTTL', KEYS[2])} end
if redis.call('EXISTS', KEYS[1]) == 0 then
  if redis.call('EXISTS', KEYS[4]) == 1 then return {2} end
  redis.call('SET', KEYS[1], ARGV[3])
end
local fence = redis.call('INCR', KEYS[3])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {1, tostring(fence), redis.call('GET', KEYS[1])}
`);

/** KEYS fence lease; ARGV fence token leaseMs. An expired lease that nobody took is taken up again. */
export const RENEW = script(`${CHECK_FENCE}
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
`);

/** KEYS fence lease; ARGV fence. */
export const RELEASE = script(`${CHECK_FENCE}
return redis.call('DEL', KEYS[2])
`);

/**
 * KEYS fence values keys; ARGV fence puts key value ... key ...: so many pairs to put, then keys to delete, no key twice.
 * Puts come first: only a script that has not written yet is stopped by a full memory. HSET counts new fields, so that
 * overwriting, the usual case, leaves the sorted set alone. 'unpack' is limited by Lua's stack, hence the slices.
 */
export const WRITE = script(`${CHECK_FENCE}
local last = 2 + 2 * tonumber(ARGV[2])
for from = 3, last, 2000 do
  local to = math.min(from + 1999, last)
  if redis.call('HSET', KEYS[2], unpack(ARGV, from, to)) > 0 then
    local members = {}
    for i = from, to, 2 do
      members[#members + 1] = 0
      members[#members + 1] = ARGV[i]
    end
    redis.call('ZADD', KEYS[3], unpack(members))
  end
end
for from = last + 1, #ARGV, 2000 do
  local to = math.min(from + 1999, #ARGV)
  redis.call('HDEL', KEYS[2], unpack(ARGV, from, to))
  redis.call('ZREM', KEYS[3], unpack(ARGV, from, to))
end
return 1
`);

/** KEYS keys values; ARGV min max limit limitBytes. Replies {more, key, value, key, value, ...}. */
export const RANGE = script(`
local limit = tonumber(ARGV[3])
local limitBytes = tonumber(ARGV[4])
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, limit)
local page = {0}
local bytes = 0
for i, name in ipairs(names) do
  local value = redis.call('HGET', KEYS[2], name)
  page[#page + 1] = name
  page[#page + 1] = value
  bytes = bytes + #name + (value and #value or 0)
  if bytes >= limitBytes or i == limit then
    page[1] = 1
    break
  end
end
return page
`);
