import { type DestinationStream, destination, type Logger, pino } from 'pino';
import type { Config } from './config/schema.js';
import { boundedText, loggable } from './loggable.js';

export type Log = Logger;

/**
 * The service's log: JSON lines on stderr, for stdout is for data. Written synchronously, so that the last lines before an end are
 * there; nothing is logged per request above `debug`, the audit does that. Every field passes through `loggable`.
 */
export function createLog(level: Config['log']['level'], stream: DestinationStream = stderr()): Log {
  const log = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (word) => ({ level: word }),
        log: loggableFields,
      },
      // Ours turns errors into fields; pino's own would show all that hangs on an error.
      serializers: { err: (err) => err, msg: boundedText },
    },
    stream,
  );
  return withLoggableBindings(log);
}

/** A logger's own level and that of all that it was the parent of: pino itself copies the level to a child and forgets the child. */
export function setLogLevel(log: Log, level: Config['log']['level']): void {
  log.level = level;
  for (const child of CHILDREN.get(log) ?? []) {
    const logger = child.deref();
    if (logger) setLogLevel(logger, level);
  }
}

/** Weakly: a signer's logger ends with its signer. */
const CHILDREN = new WeakMap<Log, Set<WeakRef<Log>>>();
const ended = new FinalizationRegistry<{ of: Set<WeakRef<Log>>; child: WeakRef<Log> }>(({ of, child }) =>
  of.delete(child),
);

function rememberChild<L extends object>(parent: Log, log: L): L {
  const of = CHILDREN.get(parent) ?? new Set();
  CHILDREN.set(parent, of);
  const child = new WeakRef(log as unknown as Log);
  of.add(child);
  ended.register(log, { of, child });
  return log;
}

/** pino formats the fields of a line and of the first logger, but not those that `child` binds. Children inherit this. */
function withLoggableBindings(log: Log): Log {
  const { child } = log;
  log.child = function (this: Log, bindings: Record<string, unknown>, options?: never) {
    return rememberChild(this, child.call(this, loggableFields(bindings), options));
  } as typeof child;
  return log;
}

function stderr(): DestinationStream {
  return destination({ dest: 2, sync: true });
}

function loggableFields(fields: Record<string, unknown>): Record<string, unknown> {
  return loggable(fields) as Record<string, unknown>;
}
