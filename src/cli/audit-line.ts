/** A line of the audit file in short, for people; one that is none as it stands, without what would steer a terminal. */
export function lineForPeople(line: string): string {
  return plain(sentenceOf(line) ?? line);
}

function sentenceOf(line: string): string | undefined {
  const fields = parse(line);
  if (!fields) return undefined;
  const { time, type } = fields;
  if (type === 'start') return `${time} start of signet ${fields.version}, pid ${fields.pid}`;
  if (type === 'lost') return `${time} ${fields.lines} lines before this one are LOST`;
  const who = fields.principal || `nobody known (${fields.caller})`;
  const key = fields.label || `${String(fields.key).slice(0, KEY_DIGITS)}…`;
  const use = fields.use || 'no use';
  const times = `queue ${fields.queue_us} us, token ${fields.token_us} us`;
  return `${time} ${fields.outcome} ${who}: ${key} ${use} ${fields.scheme}, ${times}`;
}

/** Enough of a key that has no label here to find it. */
const KEY_DIGITS = 12;

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const fields = JSON.parse(line);
    return typeof fields?.time === 'string' ? fields : undefined;
  } catch {
    return undefined;
  }
}

function plain(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, '\u{fffd}');
}
