import type { Load, SiteWish } from './experiment.js';
import type { Sample } from './measured.js';
import { startServiceSite } from './path/service-site.js';
import { startServersSite } from './tls/servers-site.js';

/** Something that loads can be measured on. */
export interface Site {
  /** Whether the load can be made here: what it needs may not be built or installed. */
  offers(load: Load): boolean;
  /** `rate` is what an open loop's share has come to, per second. Throws when the load fails. */
  measure(load: Load, seconds: number, rate: number | undefined): Promise<Sample>;
  end(): Promise<void>;
}

export function startSite(wish: SiteWish): Promise<Site> {
  return wish.kind === 'service' ? startServiceSite(wish) : startServersSite(wish);
}
