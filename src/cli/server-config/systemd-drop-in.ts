import type { ConfigFile } from './config-file.js';

/** The drop-in for a server's unit. `more` are further lines of its section. */
export function dropIn(
  unit: string,
  variables: readonly (readonly [string, string])[],
  more: readonly string[] = [],
): ConfigFile {
  const lines = [...variables.map(([name, value]) => `Environment="${name}=${escaped(value)}"`), ...more];
  return {
    part: 'systemd',
    path: `/etc/systemd/system/${unit}.service.d/signet.conf`,
    purpose: `then "systemctl daemon-reload" and "systemctl restart ${unit}"`,
    text: `[Service]\n${lines.join('\n')}\n`,
  };
}

/** systemd.unit(5), specifiers, and systemd.syntax(7), quoting. */
function escaped(value: string): string {
  return value.replaceAll('%', '%%').replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}
