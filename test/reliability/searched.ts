import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { childrenOf } from '../../bench/path/processes.js';

/** Everything that was searched for secrets, and where one was found. */
export class Searched {
  readonly #forms: readonly string[];
  readonly found: string[] = [];
  places = 0;
  bytes = 0;

  constructor(secrets: readonly string[]) {
    this.#forms = secrets.flatMap(formsOf);
  }

  text(place: string, text: string): void {
    this.places++;
    this.bytes += text.length;
    if (this.#forms.some((form) => text.includes(form))) this.found.push(place);
  }

  /** argv and environ (proc(5)) of a process and of its children. */
  processes(pid: number): void {
    for (const each of [pid, ...childrenOf(pid)]) this.process(each);
  }

  process(pid: number): void {
    for (const file of ['cmdline', 'environ']) {
      try {
        this.text(`${file} of ${pid}`, readFileSync(`/proc/${pid}/${file}`, 'latin1'));
      } catch {
        // It has ended.
      }
    }
  }

  /** All files under a folder. */
  folder(folder: string): void {
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const file = join(folder, name);
      if (statSync(file).isFile()) this.text(file, readFileSync(file, 'latin1'));
    }
  }
}

/** As its bytes may be written down. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [secret, bytes.toString('hex'), bytes.toString('base64').replace(/=+$/, ''), bytes.toJSON().data.join(',')];
}
