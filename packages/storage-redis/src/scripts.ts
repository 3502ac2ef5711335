/**
 * The Lua scripts that make the engine's operations atomic on the server.
 *
 * Each script that writes compares two numbers first. The fence is greater than the engine's own once another process has opened
 * the prefix: a process whose lease was taken over cannot write, however late its command arrives. The count of batches is less
 * than what this engine has seen acknowledged, or the fence is less than its own, when the server has gone back to an older
 * state: a failover promoted a replica that lagged, a backup was restored, a log lost its end.
 *
 * Keys of one engine share a hash tag:
 *
 *     {prefix}:stamp    whose data this is
 *     {prefix}:lease    who has it open; expires
 *     {prefix}:fence    how often it was opened
 *     {prefix}:count    how many batches were ever written
 *     {prefix}:behind   set while writes that were acknowledged are known to be missing; says why
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
export const BEHIND = 'BEHIND';

/** KEYS fence count; ARGV fence acknowledged. */
const CHECK_STATE = `
local fence = tonumber(redis.call('GET', KEYS[1]))
if not fence then return redis.error_reply('${VANISHED} the fence is gone') end
if fence > tonumber(ARGV[1]) then return redis.error_reply('${FENCED} opened again since') end
local count = tonumber(redis.call('GET', KEYS[2]) or '0')
if fence < tonumber(ARGV[1]) or count < tonumber(ARGV[2]) then
  return redis.error_reply('${BEHIND} batch ' .. count .. ' of opening ' .. fence .. ' is the last one here')
end
`;

/**
 * KEYS stamp lease fence values count behind; ARGV token leaseMs stamp. Replies {1, fence, stamp, count, reason it is behind or
 * ''} or, when the lease is held by another, {0, its token, ms it still has}, or {2} for values without a stamp.
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
local count = tonumber(redis.call('GET', KEYS[5]) or '0')
return {1, fence, redis.call('GET', KEYS[1]), count, redis.call('GET', KEYS[6]) or ''}
`);

/** KEYS fence count lease; ARGV fence acknowledged token leaseMs. An expired lease that nobody took is taken up again. */
export const RENEW = script(`${CHECK_STATE}
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
return 1
`);

/** KEYS fence count lease; ARGV fence acknowledged. */
export const RELEASE = script(`${CHECK_STATE}
return redis.call('DEL', KEYS[3])
`);

/** KEYS fence behind; ARGV fence reason. Leaves word for the next opening, unless there was one already. */
export const MARK_BEHIND = script(`
local fence = tonumber(redis.call('GET', KEYS[1]))
if not fence or fence > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
`);

/**
 * KEYS fence count values keys; ARGV fence acknowledged puts key value ... key ...: so many pairs to put, then keys to delete, no
 * key twice. Replies with the count of batches, this one included. Puts come first: only a script that has not written yet is
 * stopped by a full memory. HSET counts new fields, so that overwriting, the usual case, leaves the sorted set alone. 'unpack' is
 * limited by Lua's stack, hence the slices.
 */
export const WRITE = script(`${CHECK_STATE}
local last = 3 + 2 * tonumber(ARGV[3])
for from = 4, last, 2000 do
  local to = math.min(from + 1999, last)
  if redis.call('HSET', KEYS[3], unpack(ARGV, from, to)) > 0 then
    local members = {}
    for i = from, to, 2 do
      members[#members + 1] = 0
      members[#members + 1] = ARGV[i]
    end
    redis.call('ZADD', KEYS[4], unpack(members))
  end
end
for from = last + 1, #ARGV, 2000 do
  local to = math.min(from + 1999, #ARGV)
  redis.call('HDEL', KEYS[3], unpack(ARGV, from, to))
  redis.call('ZREM', KEYS[4], unpack(ARGV, from, to))
end
return redis.call('INCR', KEYS[2])
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
