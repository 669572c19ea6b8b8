import type { Logger } from 'pino';
import { notifySystemd } from '../native-addon.js';

/** The variables of sd_notify(3) and sd_watchdog_enabled(3). */
export interface NotifyEnvironment {
  readonly NOTIFY_SOCKET?: string | undefined;
  readonly WATCHDOG_USEC?: string | undefined;
  readonly WATCHDOG_PID?: string | undefined;
}

/**
 * Tells systemd, if it started the service, how the service is. A word that cannot be said is logged, and nothing else: the
 * service serves all the same.
 */
export class Notifier {
  readonly #socket: string | undefined;
  readonly #watchdogMs: number;
  readonly #log: Logger;
  readonly #send: typeof notifySystemd;
  #timer: NodeJS.Timeout | undefined;
  #wasHealthy = true;

  constructor(environment: NotifyEnvironment, log: Logger, send = notifySystemd) {
    this.#socket = environment.NOTIFY_SOCKET || undefined;
    this.#watchdogMs = watchdogMsOf(environment);
    this.#log = log.child({ part: 'systemd' });
    this.#send = send;
  }

  /**
   * The service serves. From now on the watchdog hears of it, from the event loop and only while `healthy` says so: a front that
   * hangs is then restarted.
   */
  ready(healthy: () => boolean): void {
    this.#tell('READY=1', 'STATUS=serving');
    if (this.#watchdogMs === 0 || this.#socket === undefined) return;
    this.#log.info({ watchdog_ms: this.#watchdogMs }, 'the watchdog is fed');
    this.#timer = setInterval(() => this.#feed(healthy), this.#watchdogMs / FEEDS_PER_PERIOD);
  }

  /** Does what reloads the configuration; systemd waits for its end. */
  reloading<T>(reload: () => T): T {
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / NANOSECONDS_PER_MICROSECOND}`);
    try {
      return reload();
    } finally {
      this.#tell('READY=1');
    }
  }

  /** The service drains; the watchdog is fed until the end. */
  stopping(): void {
    this.#tell('STOPPING=1', 'STATUS=draining');
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #feed(healthy: () => boolean): void {
    const isHealthy = healthy();
    if (isHealthy) this.#tell('WATCHDOG=1');
    else if (this.#wasHealthy) this.#log.error('the front is not well; the watchdog is left to bark');
    this.#wasHealthy = isHealthy;
  }

  #tell(...words: readonly string[]): void {
    if (this.#socket === undefined) return;
    try {
      this.#send(this.#socket, words.join('\n'));
    } catch (err) {
      this.#log.warn({ err, words }, 'systemd could not be told');
    }
  }
}

/** As sd_watchdog_enabled(3) asks. */
const FEEDS_PER_PERIOD = 2;
const MICROSECONDS_PER_MILLISECOND = 1_000;
const NANOSECONDS_PER_MICROSECOND = 1_000n;

/** 0 if there is no watchdog, or it watches another process. */
function watchdogMsOf({ WATCHDOG_USEC, WATCHDOG_PID }: NotifyEnvironment): number {
  if (WATCHDOG_PID && Number(WATCHDOG_PID) !== process.pid) return 0;
  const us = Number(WATCHDOG_USEC ?? 0);
  return Number.isFinite(us) && us > 0 ? us / MICROSECONDS_PER_MILLISECOND : 0;
}
