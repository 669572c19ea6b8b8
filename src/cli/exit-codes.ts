/** Why a command ended. `--json` carries the word, the shell the number; docs/cli.md has the same table, and a test compares them. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'done' },
  failed: { code: 1, meaning: 'failed: what was asked for did not hold, or an error of Signet itself' },
  usage: { code: 2, meaning: 'the command line or an input file is wrong' },
  configuration: { code: 3, meaning: 'the configuration file is missing or wrong, or a PIN file is' },
  unreachable: { code: 4, meaning: 'the service does not answer, or no token can serve now' },
  refused: {
    code: 5,
    meaning: 'the service refused: no grant allows it, it has no such key, or it has too much to do',
  },
  token: { code: 6, meaning: 'the token or its PKCS#11 module failed' },
  not_found: { code: 7, meaning: 'no such key or certificate, or the name fits several' },
  exists: { code: 8, meaning: 'it is there already, and nothing was changed' },
} as const;

export type ExitWord = keyof typeof EXIT_CODES;
