import { get } from 'node:http';

const EVERY_MS = 10;

/** Fetches a page over plain HTTP every few milliseconds, on a connection of its own, until the end. Gives the times in microseconds. */
export function fetchPages(port: number): { end(): Promise<number[]> } {
  const times: number[] = [];
  const open: Promise<void>[] = [];
  const timer = setInterval(() => open.push(fetchPage(port, times)), EVERY_MS);
  return {
    async end() {
      clearInterval(timer);
      await Promise.all(open);
      return times;
    },
  };
}

function fetchPage(port: number, times: number[]): Promise<void> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent: false }, (response) => {
      response.resume();
      response.once('end', () => {
        times.push((performance.now() - began) * 1000);
        resolve();
      });
    });
    request.once('error', reject);
  });
}
